"""Starts and stops whole installations on one machine: real servers, services, demonstration."""
