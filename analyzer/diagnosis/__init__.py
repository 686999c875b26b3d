"""Rules and what was seen in, findings out: what happened, to whom, on which side, at what cost, with proof."""
