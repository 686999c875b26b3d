"""The site behind README, made by Sphinx from the pages that pages.py writes: see its head for the commands."""

project = "tcpcap"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "tcpcap"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
# Nothing is fetched by who opens a page.
html_theme_options = {"light_css_variables": {"font-stack": "system-ui, sans-serif"}, "dark_css_variables": {"font-stack": "system-ui, sans-serif"}}  # fmt: skip
highlight_language = "none"
myst_heading_anchors = 3
