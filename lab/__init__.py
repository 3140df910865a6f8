"""The embedded lab: a bare server, a carrier and phones as containers on this machine's Docker engine."""
