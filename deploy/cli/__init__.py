"""The operator's command line: what is in a running Reelway that a person has to decide about."""
