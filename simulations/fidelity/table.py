#!/usr/bin/env python3
"""Simulated beside live: a table in Markdown from what `isobar drill run --json` has written.

    isobar drill run simulations/fidelity --seeds 1..10 --json sim.json
    isobar drill run simulations/fidelity --seeds 1..10 --live --json live.json
    simulations/fidelity/table.py sim.json live.json

Of each drill: how its runs came out, an outage's phases, and counts. What stands there is the median
over the runs of that column, and behind it the least and the most. Files may come in any order and
number; each record says itself whether it is of real processes.
"""

import json
import statistics
import sys

FORMAT = 1
PHASES = ("detect", "notice", "reconnect", "admit", "outage")
COUNTS = (
    "affected.disconnected",
    "affected.attempts",
    "affected.failed",
    "affected.refused",
    "affected.never_served",
    "unaffected.disconnected",
    "flow.redispatches",
    "flow.turned_away",
    "flow.tunnels",
    "broker.over_limit",
    "mesh.false_dead",
    "entry.stale_arrivals",
)
TIMES = ("mesh.avoided_max", "mesh.dead_max", "mesh.back_max", "all.connect_p50", "all.connect_p99")


def records(path):
    """The records of a file."""
    with open(path, encoding="utf-8") as file:
        held = json.load(file)
    held = held.get("records", held.get("runs")) if isinstance(held, dict) else held
    if not isinstance(held, list):
        sys.exit(f"{path}: holds no records")
    for record in held:
        if record.get("format") != FORMAT:
            sys.exit(f"{path}: a record of another format than {FORMAT}")
    return held


def time(us):
    """Microseconds, as people say them."""
    return f"{us / 1e6:.1f} s" if us >= 1_000_000 else f"{us / 1e3:.0f} ms"


def spread(values, show):
    """The median, and the range where there is one."""
    if not values:
        return "–"
    low, high = show(min(values)), show(max(values))
    middle = show(statistics.median_low(values))
    return middle if low == high else f"{middle} ({low} to {high})"


def phase(runs, name, key):
    """A figure of a phase, of the runs in which anybody went through it."""
    phases = [run["phases"][name] for run in runs]
    return spread([phase[key] for phase in phases if phase["count"] > 0], time)


def metric(runs, name, show):
    """A metric, of the runs that have it."""
    return spread([run["metrics"][name] for run in runs if name in run["metrics"]], show)


def outcomes(runs):
    """How they came out."""
    of = [run["outcome"] for run in runs]
    told = [f"{of.count(word)} {word}" for word in ("passed", "inconclusive", "failed") if word in of]
    return ", ".join(told) or "–"


def table(drill, simulated, live):
    """Lines of one drill."""
    both = (simulated, live)
    rows = [("runs", *(outcomes(runs) for runs in both))]
    for name in PHASES:
        for key, label in (("p50_us", "p50"), ("p99_us", "p99")):
            rows.append((f"{name} {label}", *(phase(runs, name, key) for runs in both)))
    rows += [(name, *(metric(runs, name, str) for runs in both)) for name in COUNTS]
    rows += [(name, *(metric(runs, name, time) for runs in both)) for name in TIMES]
    silent = {"–", "0"}
    rows = [row for row in rows if not {row[1], row[2]} <= silent]
    lines = [f"### {drill}", "", "| | simulated | live |", "|---|---|---|"]
    lines += ["| {} | {} | {} |".format(*row) for row in rows]
    unsaid = sorted({why for run in live for why in run["why"]})
    lines += [""] + [f"- live: {why}" for why in unsaid[:5]] + ([""] if unsaid else [])
    return lines


def main():
    """Reads all, and prints the tables."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    held = [record for path in sys.argv[1:] for record in records(path)]
    for drill in sorted({record["drill"] for record in held}):
        mine = [record for record in held if record["drill"] == drill]
        simulated = [record for record in mine if not record["live"]]
        live = [record for record in mine if record["live"]]
        print("\n".join(table(drill, simulated, live)))


if __name__ == "__main__":
    main()
