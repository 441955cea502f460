"""How things are said to people: `tongue` to one reader, `explanations` why something went wrong.

Imports nothing: the agent reads `explanations` and has no babel.
"""
