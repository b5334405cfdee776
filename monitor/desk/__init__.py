"""The desk: pages, feeds and an API that show what the service decides, and take people's word.

A page shows what a stage's public functions return and decides nothing. `routes.py` names every
address with the right it needs; `pages/` has one file for each screen.
"""
