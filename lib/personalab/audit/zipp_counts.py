"""ZIPP's data counts: users, subreddits, posts, printed in several places.

Each check compares printings of one quantity, or a difference with its result.
"""

from .findings import Finding, Printed, Tables, meet, quoted, settle


def user_count(tables: Tables) -> Finding:
    """Users of the interaction graph."""
    places = ("users_abstract", "users_collected", "users_pruned_graph")
    numbers = [quoted(tables, "zipp", name) for name in places]
    table = tables["zipp_table8_datasets"].set_index("dataset").loc["Reddit Interactions", "users"]
    numbers.append(Printed(float(table), 1e6, "Table 8"))
    return Finding(
        "zipp-users",
        "ZIPP",
        "abstract, section 3.1, Table 8",
        "The interaction graph has 22, 22.8 or 23 million users.",
        ", ".join(f"{number.value / 1e6:,g} M ({number.place})" for number in numbers),
        settle(meet(*numbers), "cannot be both"),
        note="22.8 is printed as a number of edges beside another one; it can only be users",
    )


def subreddit_count(tables: Tables) -> Finding:
    """Subreddits before and after pruning (section 3.1)."""
    before, removed, after = (
        quoted(tables, "zipp", f"subreddits_{name}") for name in ("collected", "removed", "pruned_graph")
    )
    left = Printed(before.value - removed.value, before.step + removed.step, "")
    return Finding(
        "zipp-subreddits",
        "ZIPP",
        f"{before.place}, {after.place}",
        "Of 40 thousand subreddits 12 thousand are removed and 32 thousand remain.",
        f"{before.value:,g} - {removed.value:,g} = {left.value:,g}, printed {after.value:,g}",
        settle(meet(left, after), "cannot be both"),
    )


def subreddits_used(tables: Tables) -> Finding:
    """Subreddits of the graph (section 3.1) and of all experiments (appendix F.1.2), kept or removed."""
    names = ("pruned_graph", "collected", "used_min", "used_max")
    graph, collected, low, high = (quoted(tables, "zipp", f"subreddits_{name}") for name in names)
    left = {
        "if these are kept": (low.value, high.value),
        "if removed from all": (collected.value - high.value, collected.value - low.value),
        "if removed from the graph": (graph.value - high.value, graph.value - low.value),
    }
    slack = graph.step + low.step
    return Finding(
        "zipp-subreddits-used",
        "ZIPP",
        f"{graph.place}, {low.place}",
        "The graph has 32 thousand subreddits; every experiment is run in the regime of 12 to 15 thousand.",
        f"{graph.value:,g} against " + ", ".join(f"{a:,g} to {b:,g} {name}" for name, (a, b) in left.items()),
        settle(any(a - slack <= graph.value <= b + slack for a, b in left.values()), "cannot be both"),
    )


def pruning_regime(tables: Tables) -> Finding:
    """Table 9 counts subreddits kept, the text beside it subreddits removed; are both the same regime?"""
    rows = tables["zipp_table9_subreddit_filter"]
    full, low, high = (
        quoted(tables, "zipp", f"subreddits_{n}") for n in ("pruned_graph", "removal_min", "removal_max")
    )
    removed = full.value - rows["subreddits_retained"]
    best = int(rows["delta_clipscore_pct"].idxmax())
    inside = rows[removed.between(low.value, high.value)]
    shown = ", ".join(
        f"{r.subreddits_retained:,g} kept ({r.delta_clipscore_pct:+g} %)" for r in inside.itertuples()
    )
    return Finding(
        "zipp-pruning-regime",
        "ZIPP",
        "appendix F.1.2, Table 9",
        "Removing 12 to 15 thousand subreddits is best; keeping 12 to 15 thousand is best.",
        f"best row keeps {rows.loc[best, 'subreddits_retained']:,g}, so removes {removed[best]:,g} of {full.value:,g}; "
        f"rows that remove {low.value:,g} to {high.value:,g}: {shown or 'none'}",
        settle(bool(low.value <= removed[best] <= high.value), "cannot be both"),
    )


def zipbench_activity(tables: Tables) -> Finding:
    """Posts and comments of ZIP-Bench's users in section 3.1 and in appendix E.2."""
    posts, comments = (
        [quoted(tables, "zipp", f"zipbench_{what}_{where}") for where in ("main", "appendix")]
        for what in ("posts", "comments")
    )
    return Finding(
        "zipp-posts-comments",
        "ZIPP",
        "section 3.1, appendix E.2, Table 8",
        "ZIP-Bench's 1,500 users wrote 15 thousand posts and 183 thousand comments; 31 and 600 thousand.",
        f"{posts[0].value:,g} + {comments[0].value:,g} = {posts[0].value + comments[0].value:,g} against "
        f"{posts[1].value:,g} + {comments[1].value:,g} = {posts[1].value + comments[1].value:,g}",
        settle(meet(*posts) and meet(*comments), "cannot be both"),
    )


def edges_and_activity(tables: Tables) -> Finding:
    """Unique user-subreddit pairs (section 3.1) against posts and comments (Table 8)."""
    edges = quoted(tables, "zipp", "edges_collected")
    activity = (
        tables["zipp_table8_datasets"].set_index("dataset").loc["Reddit Interactions", "posts_and_comments"]
    )
    ratio = activity / edges.value
    return Finding(
        "zipp-edges-activity",
        "ZIPP",
        "section 3.1, Table 8, appendix E",
        "The graph has 682 million unique pairs of user and subreddit, and as many posts and comments.",
        f"{activity:,.0f} / {edges.value:,.0f} = {ratio:.2f} posts or comments a pair",
        settle(ratio > edges.high / edges.value, "rests on reading"),
        kind="reading",
        note="if the pairs are unique, nobody ever came back to a subreddit and log(1 + t) is constant",
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    graph = (user_count, subreddit_count, subreddits_used, pruning_regime)
    return [check(tables) for check in (*graph, zipbench_activity, edges_and_activity)]
