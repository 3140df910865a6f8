"""Drives the lab: phones and carriers that place and take real calls through the PBX, and what they saw."""

from lab.driver.proof import place_inbound_call, place_outbound_call

__all__ = ["place_inbound_call", "place_outbound_call"]
