"""What is asked of the properties of an event: one file for each type of property, with its operators.

A value of another type than is asked about counts as not known: nothing that an event carries makes a question fail.
"""
