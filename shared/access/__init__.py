"""Who may do what, where two services must agree on it: tokens, signatures, callback URLs."""
