"""VPTT's counts and rates: figures that should follow from one another by a product or a quotient.

Sizes of the studies, rendering speed, the mix of posts. Only figures that the paper prints enter.
"""

from .findings import Finding, Printed, Tables, listed, meet, quoted, settle


def ethnicity_groups(tables: Tables) -> Finding:
    """Groups in the whole benchmark and in a sample of 200 personas."""
    bench, sample = (quoted(tables, "vptt", f"ethnicity_groups_{which}") for which in ("bench", "sampled"))
    return Finding(
        "vptt-ethnicity-groups",
        "VPTT",
        f"{bench.place}, {sample.place}",
        "The benchmark balances nine ethnicity groups; a sample of 200 personas covers ten.",
        f"{sample.value:,g} in the sample against {bench.value:,g} in the whole",
        settle(sample.value <= bench.value, "cannot be both"),
        note="assumes that the 200 profiles come from the benchmark",
    )


def feedback_test_prompts(tables: Tables) -> Finding:
    """Test users times prompts per user against the number of test prompts."""
    users, prompts = (
        listed(tables, "vptt_scalars", f"feedback_test_{name}", 0, "section 4.2.4").value
        for name in ("users", "prompts")
    )
    each = quoted(tables, "vptt", "feedback_prompts_per_persona").value
    return Finding(
        "vptt-feedback-test-prompts",
        "VPTT",
        "section 4.2.4",
        "50 unseen users with 50 prompts each make 2,525 test prompts.",
        f"{users:,g} x {each:,g} = {users * each:,g}, printed {prompts:,g}",
        settle(users * each == prompts, "cannot be both"),
    )


def evaluations(tables: Tables) -> Finding:
    """The size of the text study against its design and against Table 3's samples per entry."""
    names = ("personas", "prompts", "llms", "methods", "evaluations")
    personas, prompts, llms, methods, total = (
        quoted(tables, "vptt", f"study_{name}").value for name in names
    )
    entries = len(tables["vptt_table3_10k_personas"]) * quoted(tables, "vptt", "samples_per_entry").value
    return Finding(
        "vptt-evaluations",
        "VPTT",
        "section 4.2.3, caption of Table 3",
        "The text study makes 120,000 prompt evaluations.",
        f"{personas:,g} x {prompts:,g} x {llms:,g} = {personas * prompts * llms:,g} leaves out the methods; times "
        f"{methods:,g} it is {personas * prompts * llms * methods:,g}, and Table 3's entries sum to {entries:,g}",
        settle(total == entries, "cannot be both"),
        note=f"Baseline rows repeat over LLMs; counting them once leaves {personas * prompts * (llms * (methods - 1) + 1):,g}",
    )


def _throughput(tables: Tables, mode: str) -> Finding:
    slow, fast = (quoted(tables, "vptt", f"{mode}_seconds_{end}").value for end in ("max", "min"))
    row = tables["vptt_table6_image_throughput"].set_index("mode").loc[mode]
    low, high = row["images_per_hour_per_gpu_min"], row["images_per_hour_per_gpu_max"]
    derived = Printed((3600 / slow + 3600 / fast) / 2, 3600 / fast - 3600 / slow, "")
    printed = Printed((low + high) / 2, high - low, "")
    return Finding(
        f"vptt-throughput-{mode}",
        "VPTT",
        "section 10.2, Table 6",
        f"In {mode} mode an image takes {fast:,g}-{slow:,g} s; one GPU renders {low:,g}-{high:,g} an hour.",
        f"3600 / {slow:,g} to 3600 / {fast:,g} = {3600 / slow:.0f} to {3600 / fast:.0f} images an hour",
        settle(meet(derived, printed), "cannot be both"),
    )


def standard_throughput(tables: Tables) -> Finding:
    """Seconds per image against images per hour, standard mode (section 10.2, Table 6)."""
    return _throughput(tables, "standard")


def lightning_throughput(tables: Tables) -> Finding:
    """Seconds per image against images per hour, Lightning mode (section 10.2, Table 6)."""
    return _throughput(tables, "lightning")


def post_mix(tables: Tables) -> Finding:
    """The share of appreciation posts where they are written and where they are rendered."""
    bench, rendering = (
        quoted(tables, "vptt", f"appreciation_pct_{where}") for where in ("bench", "rendering")
    )
    return Finding(
        "vptt-post-mix",
        "VPTT",
        f"{bench.place}, {rendering.place}",
        "A quarter of the posts are appreciation posts; of those rendered, 30 % are.",
        f"{bench.value:,g} % against {rendering.value:,g} %, the rest {100 - bench.value:,g} % against "
        f"{100 - rendering.value:,g} %",
        settle(meet(bench, rendering), "cannot be both"),
        note="all 30 posts of a persona are rendered, so one share should hold",
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    sizes = (ethnicity_groups, feedback_test_prompts, evaluations, post_mix)
    return [check(tables) for check in (*sizes, standard_throughput, lightning_throughput)]
