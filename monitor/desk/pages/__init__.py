"""The screens: one file each, named after its address, each with the context its template shows."""
