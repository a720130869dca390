"""What runs in the workbench's child process: DuckDB, what guards it, and the talk with the parent.

Nothing here imports anything of the package but this folder and `text`: the child knows no token,
no client and no settings, only the pages that it is sent.
"""
