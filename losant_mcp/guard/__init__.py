"""Nothing destructive happens without a person's yes to the very thing that then happens.

Plan the exact set, ask a person, burn the plan once, back up, re-check, run exactly that set,
audit. What it protects against: a careless or prompt-injected model, hostile text in data,
crashes, races, a web page in the person's browser. What it does not: someone with a shell as
the same user, or an agent that drives the person's own signed-in browser.
"""
