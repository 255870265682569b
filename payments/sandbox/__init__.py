"""A bank of its own, for the demo and the tests: a separate program that knows nothing of Holdfast. No real money.

It speaks the part of Stripe's HTTP API that the official `stripe` client is used for here, shows a payment page, keeps
its own books on disk, tells of what happened with signed events, and can be told to misbehave. Only Python's standard
library is used; nothing in this folder imports anything of ours.
"""
