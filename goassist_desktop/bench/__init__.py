"""Measurements of the product's promises, a module for each kind of `goassist bench`."""
