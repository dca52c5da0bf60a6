"""All commands of railbed, for the generator of docs/reference/commands.md:

.venv/bin/typer tools/commands.py utils docs --name railbed --title Commands --output docs/reference/commands.md
"""

from railbed.cli.main import assemble

app = assemble([])
# Else the page would be full of HTML entities.
app.rich_markup_mode = None
