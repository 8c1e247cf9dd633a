"""ZIPP: personas mined from a graph of users and communities (ZIPP sections 3 to 5)."""
