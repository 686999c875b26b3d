"""Which frames of a capture are asked for: filters, flows, times, numbers. Judges nothing."""

from analyzer.choose.choice import EVERYTHING, Choice, Time, choice_of

__all__ = ["EVERYTHING", "Choice", "Time", "choice_of"]
