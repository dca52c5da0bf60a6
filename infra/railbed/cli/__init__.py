"""The command line: one module for each noun, which attaches its commands in ``register``.

May import everything; nothing imports it. No logic: a command reads its words, calls a stage and prints what came of it.
``main`` loads only the module of the word that was called.
"""
