"""Whose fault it was decides what happens next.

PeerFault     another process or the venue said something it must not say: count it, drop it, go on.
ConfigFault   a person gave us something wrong: one clear line that names the thing and the fix, exit 78.
Unrecoverable our own durable state cannot be trusted: cancel, write a halt file, exit 78.
A bug is none of these: it is an assertion, it crashes the process (exit 70), and a person reads it.
"""


class HouseError(Exception):
    """Base of all; never raised itself."""


class PeerFault(HouseError):
    """Raised when bytes from outside do not mean what the schema says they must."""


class AbsurdNumber(PeerFault):
    """Raised when a number of the venue is none: NaN, an infinity, beyond everything. Other than silence it alarms."""


class ConfigFault(HouseError):
    """Raised when configuration, keystore, tape or command line is wrong; the text names thing and fix."""


class Unrecoverable(HouseError):
    """Raised when a journal write failed or our own records contradict each other."""
