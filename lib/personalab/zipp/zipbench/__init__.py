"""ZIP-Bench: people with a Reddit history and a gallery on Civitai (ZIPP 3.1, E.2, E.3).

`civitai` reads pages of the site's public API, `link` finds the Reddit user behind an account, `bench` divides what a user
has written into a history and held-out prompts, `basic` shortens these to their subject. `invented` writes pages of people
who do not exist, so that all of it runs without anybody's data.
"""
