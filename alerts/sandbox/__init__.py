"""A mail provider of its own, for the demo and the tests: a separate program that knows nothing of Holdfast.

It speaks the part of Resend's HTTP API that django-anymail uses, keeps what it was given on disk, and can be told to
misbehave. It sends nothing to anybody. Nothing in this folder imports anything of ours.
"""
