"""A space searched: every member's figures, what fits, what is best."""
