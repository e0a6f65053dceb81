"""Our own lints, for what ruff cannot know. `python -m lints` reads all of src/.

What is right although a lint finds it says so on its line or the line before: `# lint: <rule> <why>`, and in the middle
of SQL `-- lint: <rule> <why>`. Without a why the finding stands.
"""
