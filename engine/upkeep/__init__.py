"""Looking after a home, with an engine on it or without: check, mend, back up, bring back."""
