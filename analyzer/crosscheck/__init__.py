"""Second opinions: what tshark and dpkt say of the same frames, and who is right where that can be proved."""

from analyzer.crosscheck.compare import Crosscheck, crosscheck
from analyzer.crosscheck.differences import Difference
from analyzer.crosscheck.dissection import dissection

__all__ = ["Crosscheck", "Difference", "crosscheck", "dissection"]
