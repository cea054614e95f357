"""How the two clients speak: calls as values, one blocking and one awaiting transport."""
