"""Mutation testing: how many small changes to the code do the tests without an engine notice?"""
