"""Writes what was measured into docs/performance.md, between two markers, and its plots beside it."""

import html
import json
import pathlib
import statistics
import sys

import servers
import works

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE, PLOTS = ROOT / "docs/performance.md", ROOT / "docs/performance"
BEGIN, END = "<!-- scripts/bench writes from here -->", "<!-- to here -->"
NAMES = {name: kind.name for name, kind in servers.ALL.items()}
NAMES |= {"bindery": "Bindery", "bindery-filr": "Bindery, Filr", "openssl": "`openssl speed md5`", "dd": "`dd`, synced"}
SIDE_BY_SIDE = ["download-4k", "download-256m-1", "download-256m-8", "upload-4k", "upload-256m-1", "upload-256m-4"]
SIDE_BY_SIDE += ["range-10g", "copy-10g", "memory-idle", "memory-1000"]
PLOTTED = SIDE_BY_SIDE[:6]


class Values:
    def __init__(self, results):
        self.growth = results.get("growth", {}).values()
        self.values = {tuple(key.split("|")): values for key, values in results["values"].items()}

    def of(self, figure, place, who="bindery"):
        return self.values.get((figure, place, who), [])

    def median(self, figure, place, who="bindery"):
        values = self.of(figure, place, who)
        return statistics.median(values) if values else None

    def who(self, figure):
        found = {who for name, _, who in self.values if name == figure}
        return [who for who in NAMES if who in found]

    def places(self, figure):
        return [place for place in works.BOTH if any(key[:2] == (figure, place) for key in self.values)]


def number(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(values):
    if not values:
        return "–"
    middle = number(statistics.median(values))
    return f"{middle} ({number(min(values))}–{number(max(values))})" if len(values) > 1 else middle


def goals(values):
    """Rows of (work, place, what was seen, the same of the bare loop, goal, whether it is met or None)."""
    rows = []

    def add(title, place, seen, text, limit, at_least, bare=None):
        met = None if seen is None else (seen >= limit if at_least else seen <= limit)
        rows.append((title, place, number(seen), number(bare), text, met))

    def ratio(figure, place, who, to, limit, to_text, of=None):
        theirs = values.median(of or figure, place, to)

        def share(one):
            mine = values.median(figure, place, one)
            return mine / theirs if mine and theirs else None

        title = f"{works.FIGURES[figure].title}, {NAMES[who]}" if who == "bindery-filr" else works.FIGURES[figure].title
        add(title, place, share(who), f"≥ {limit} × {to_text}", limit, True, share("bare"))

    def most(figure, place, limit, who="bindery", title=None):
        figures = works.FIGURES[figure]
        text = f"< {limit} {figures.unit}"
        add(title or figures.title, place, values.median(figure, place, who), text, limit, False)

    for place in works.BOTH:
        for who in ("bindery", "bindery-filr"):
            ratio("download-4k", place, who, "nginx", 0.7, "nginx")
        for connections in (1, 8):
            ratio(f"download-256m-{connections}", place, "bindery", "nginx", 0.9, "nginx")
        ratio("upload-4k", place, "bindery", "nginx", 0.6, "nginx")
        ratio("upload-4k", place, "bindery", "garage", 10, "Garage")
    mine, limit = values.median("upload-256m-1", "tmpfs"), values.median("upload-256m-1", "tmpfs", "openssl")
    title = works.FIGURES["upload-256m-1"].title
    add(title, "tmpfs", mine / limit if mine and limit else None, "≥ 0.9 × `openssl speed md5`", 0.9, True)
    for connections in (1, 4):
        ratio(f"upload-256m-{connections}", "disk", "bindery", "dd", 0.95, "`dd`, synced", of="upload-256m-1")
    for figure in ("replace-filr", "rename-filr", "rename-rescale", "move-filr", "delete-filr", "delete-rescale"):
        for place in works.BOTH:
            add(works.FIGURES[figure].title, place, values.median(figure, place), "≥ 10,000/s", 10_000, True)
    most("copy-10g", "disk", 5)
    large, small = values.median("copy-10g", "disk"), values.median("copy-1k", "disk")
    # Equal within what medians of so short a time vary by.
    add("copy of 10 GiB to that of 1 KiB", "disk", large / small if large and small else None, "the same (≤ 1.1)", 1.1, False)
    for dialect in ("rescale", "filr"):
        for which in ("first", "last", "next"):
            figure = f"page-{which}-{dialect}-p99"
            many, few = values.median(figure, "disk", "many"), values.median(figure, "disk", "few")
            title = works.FIGURES[figure].title
            most(figure, "disk", 5, "many", f"{title}, of 1,000,000 files")
            add(f"{title}, to that of 1,000", "disk", many / few if many and few else None, "< 1.5", 1.5, False)
    worst = max((after / before for counts in values.growth for before, after in zip(counts, counts[1:])), default=None)
    add("instructions of a request, for ten times the files", "–", worst, "≤ 1.2", 1.2, False)
    add(works.FIGURES["lines"].title, "tmpfs", values.median("lines", "tmpfs"), "≥ 800 MB/s", 800, True)
    most("range-10g", "disk", 2)
    for figure, limit in (("start", 200), ("memory-idle", 40), ("memory-1000", 64), ("memory-64", 192)):
        most(figure, "disk", limit)
    for dialect in ("rescale", "filr"):
        for term, limit in (("few", 20), ("100", 20), ("all", 1000)):
            most(f"search-{term}-{dialect}", "disk", limit)
    return rows


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def side_by_side(values):
    who = [one for one in NAMES if any(one in values.who(figure) for figure in SIDE_BY_SIDE)]
    # The limits have columns of no server.
    contestants = [one for one in who if one in servers.ALL]
    limits = [one for one in who if one not in servers.ALL]
    head = ["work", "where"]
    head += [NAMES[one] + (f"<br>{lacks}" if (lacks := servers.ALL[one].lacks) else "") for one in contestants]
    rows = []
    for figure in SIDE_BY_SIDE:
        for place in values.places(figure):
            mine = values.median(figure, place)
            cells = []
            for one in contestants:
                text, theirs = cell(values.of(figure, place, one)), values.median(figure, place, one)
                if mine and theirs and not one.startswith("bindery"):
                    text += f"; {mine / theirs:.2f} ×"
                cells.append(text)
            known = works.FIGURES[figure]
            rows.append([f"{known.title}, {known.unit}", place, *cells])
    text = table(head, rows)
    for one in limits:
        for figure in SIDE_BY_SIDE:
            for place in values.places(figure):
                if seen := values.of(figure, place, one):
                    text += f"\n\nA limit of uploads, on {place}: {NAMES[one]} takes {cell(seen)} MB/s."
    return text


def alone(values):
    rows = []
    for figure, known in works.FIGURES.items():
        if figure in SIDE_BY_SIDE:
            continue
        for place in values.places(figure):
            if figure.startswith("page-"):
                pair = [cell(values.of(figure, place, who)) for who in ("few", "many")]
                text = f"{pair[0]} with 1,000 files; {pair[1]} with 1,000,000"
            else:
                text = cell(values.of(figure, place))
            rows.append([f"{known.title}, {known.unit}", place, text])
    return table(["work", "where", "Bindery"], rows) if rows else ""


def growth(results):
    rows = []
    for kind, counts in results["growth"].items():
        steps = [""] + [f" ({after / before:.2f})" for before, after in zip(counts, counts[1:])]
        rows.append([kind, *(f"{count:,}{step}" for count, step in zip(counts, steps))])
    text = "`scripts/instructions --sizes`: instructions of a request, and in brackets how many times the column before; "
    text += "the goal is 1.2 at most."
    return text + "\n\n" + table(["request", *(f"{size:,} files" for size in results["growth_sizes"])], rows)


STYLE = (
    "text{font:13px sans-serif;fill:#333}.p{fill:#8a94a0}.b{fill:#2f7fd1}"
    "line{stroke:#333;stroke-width:1}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}line{stroke:#ddd}}"
)


def plot(values, figure):
    """Horizontal bars, with a line from the least to the most that was seen."""
    known = works.FIGURES[figure]
    bars = []
    for place in values.places(figure):
        for who in values.who(figure):
            if seen := values.of(figure, place, who):
                bars.append((place, who, seen))
    if not bars:
        return None
    longest = max(max(seen) for _, _, seen in bars)
    left, width, step, y = 150, 400, 22, 30
    parts, before = [], None
    for place, who, seen in bars:
        if place != before:
            parts.append(f'<text x="8" y="{y + 16}" font-weight="bold">{place}</text>')
            before, y = place, y + step
        middle, least, most = (width * value / longest for value in (statistics.median(seen), min(seen), max(seen)))
        name = html.escape(NAMES[who].replace("`", ""))
        kind = "b" if who.startswith("bindery") else "p"
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{name}</text>')
        parts.append(f'<rect class="{kind}" x="{left}" y="{y + 2}" width="{max(middle, 1):.1f}" height="16"/>')
        parts.append(f'<line x1="{left + least:.1f}" x2="{left + most:.1f}" y1="{y + 10}" y2="{y + 10}"/>')
        label = f"{number(statistics.median(seen))} {known.unit}"
        parts.append(f'<text x="{left + max(most, middle) + 6:.1f}" y="{y + 14}">{label}</text>')
        y += step
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {y + 8}" width="680" height="{y + 8}" role="img">'
        f"<title>{known.title}</title><style>{STYLE}</style>"
        f'<text x="8" y="18" font-weight="bold">{known.title}</text>' + "\n".join(parts) + "</svg>\n"
    )


def block(results):
    values, machine = Values(results), results["machine"]
    commands = ", ".join(f"`{command}`" for command in dict.fromkeys(results["commands"]))
    rounds = max(map(len, results["values"].values()))
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    measured = [row for row in goals(values) if row[-1] is not None]
    met = [[*row[:-1], "yes" if row[-1] else "**no**"] for row in measured]
    plots = []
    PLOTS.mkdir(exist_ok=True)
    for figure in PLOTTED:
        if drawn := plot(values, figure):
            (PLOTS / f"{figure}.svg").write_text(drawn)
            plots.append(f"![{works.FIGURES[figure].title}](performance/{figure}.svg)")
    parts = [
        f"{commands} on {machine['date']}: {machine['processor']}, cores {machine['cores']} for server "
        f"and client together, {machine['memory_gib']} GiB, {machine['kernel']}, disk with {machine['disk']}. {versions}.",
        f"Medians, and in brackets the least and the most, of {rounds} rounds in which the servers took turns, "
        "each started anew; \"×\" is Bindery's median by that server's. "
        "[bench/README.md](../bench/README.md) says how each starts.",
        "### Goals",
        table(["work", "where", "seen", "the bare loop", "goal", "met"], met),
        "### Beside others",
        side_by_side(values),
        "\n\n".join(plots),
    ]
    if only := alone(values):
        parts += ["### Bindery alone", only]
    if "growth" in results:
        parts += ["### Instructions as data grows", growth(results)]
    return "\n\n".join(parts)


def main():
    results = json.loads(pathlib.Path(sys.argv[1]).read_text())
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{block(results)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
