"""Judges a witness log by the venue's rules, from its lines (common/witness.py) alone.

Everything is Decimal and written for being read; it shares no code with the venue that it judges. What the log says
of a state (accounts, books, openings) is compared with what its events make of the state before.
"""

from common.witness_check.check import check, verify
from common.witness_check.report import Finding, Report

__all__ = ["Finding", "Report", "check", "verify"]
