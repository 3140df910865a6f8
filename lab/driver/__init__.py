"""Drives the lab: phones and carriers that place and take real calls through the PBX, and what they saw."""
