"""Live numbers: the process that keeps every open page true."""
