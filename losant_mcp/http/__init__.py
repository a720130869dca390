"""What is served over HTTP: the page on which a person approves or declines a plan.

Nothing is loaded here: the terminal takes the wording of the page without its web server.
"""
