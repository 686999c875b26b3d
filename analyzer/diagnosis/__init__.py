"""Rules and what was seen in; findings out: what happened, to whom, on which side, what it cost, with proof and the next step."""
