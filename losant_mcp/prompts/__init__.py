"""Prompts: the files of ``prompts/`` as what a person picks in a chat client.

``files`` reads and checks them, ``template`` is their small language, ``catalogue`` lists and
answers. What a prompt needs from Losant it gets as tools and resources do, from the same services.
"""
