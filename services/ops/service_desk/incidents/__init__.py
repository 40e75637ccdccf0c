"""Incidents: disruptions that take more than a ticket."""
