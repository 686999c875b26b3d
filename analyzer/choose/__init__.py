"""Which frames of a capture are asked for: filters, flows, times, numbers. Judges nothing."""

from analyzer.choose.choice import EVERYTHING, Choice, Time, choice_of
from analyzer.choose.chooser import Chooser

__all__ = ["EVERYTHING", "Choice", "Chooser", "Time", "choice_of"]
