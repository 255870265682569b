"""What must hold in the database at any moment, as SQL: each statement returns the offenders' ids, and what is wrong.

Independent of the code that it judges: it reads tables, and shares with the product the transition tables and the list
of columns that a fact's hash covers. `%(ids)s` is a batch of what a list is about: sessions, bookings, payments.
"""
