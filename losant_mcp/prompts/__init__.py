"""Prompts: the files of ``prompts/`` as what a person picks in a chat client.

``files`` reads and checks them, ``template`` is their small language, ``catalogue`` lists and
answers. What a prompt needs from Losant reaches it through callables that the server hands in.
"""
