"""Runs a TypeScript comparison against a file of references, checks the results, and keeps the table in docs/."""

from __future__ import annotations

import hashlib
import json
import math
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from common import ROOT

WORKPLACE = ROOT / ".cache" / "parity"


def built() -> list[str]:
    """Builds `baret` and returns its command line."""
    subprocess.run(["node", "tools/build.mjs"], cwd=ROOT, check=True)
    return ["node", str(ROOT / "dist" / "cli" / "main.js")]


def findings(script: str, *arguments: object) -> list[dict]:
    """One result of a script of this folder: {case, what, value, unit, most, least}. Only what and value are required."""
    command = ["node", "tools/run.mjs", f"tools/parity/{script}", *map(str, arguments)]
    rows: list[dict] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            row = json.loads(line)
            rows.append(row | {"value": float(row["value"])})
            print(line, end="", file=sys.stderr, flush=True)
    if run.returncode != 0:
        raise SystemExit(f"{script} ended with status {run.returncode}")
    return rows


def is_good(row: dict) -> bool:
    """NaN never passes."""
    return not math.isnan(row["value"]) and row["value"] <= row.get("most", math.inf) and row["value"] >= row.get("least", -math.inf)


def number(value: float) -> str:
    return f"{value:.1e}" if 0 < abs(value) < 0.1 else f"{value:.2f}".rstrip("0").rstrip(".")


def required(row: dict) -> str:
    return " ".join(f"{sign} {number(row[key])} {row.get('unit', '')}".strip() for key, sign in (("most", "≤"), ("least", "≥")) if key in row)


def table(rows: list[dict]) -> str:
    """Markdown table: a row for each comparison, a column for each case. Results beyond their limit are bold."""
    cases = list(dict.fromkeys(row.get("case", "found") for row in rows))
    lines = [f"| what | {' | '.join(cases)} | required |", "|---" * (len(cases) + 2) + "|"]
    for what in dict.fromkeys(row["what"] for row in rows):
        own = {row.get("case", "found"): row for row in rows if row["what"] == what}
        cells = [(number(own[case]["value"]) if is_good(own[case]) else f"**{number(own[case]['value'])}**") if case in own else "" for case in cases]
        lines.append(f"| {what} | {' | '.join(cells)} | {required(next(iter(own.values())))} |")
    return "\n".join(lines)


def provenance(*programs: str, **weights: Path) -> str:
    """The weights and releases of a table."""
    hashes = [f"{name} `{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}`" for name, path in weights.items()]
    packages = [f"{name} {version(name)}" for name in programs or ("torch", "diffusers", "transformers")]
    runtime = json.loads((ROOT / "node_modules" / "onnxruntime-node" / "package.json").read_text())["version"]
    return f"Weights (SHA-256): {', '.join(hashes)}. {', '.join(packages)}; onnxruntime-node {runtime}."


def conclude(section: str, rows: list[dict], said: str, record: Path | None) -> int:
    """Prints the table, writes it between the section's marks in the file `record`, and returns the exit status."""
    text = f"{said}\n\n{table(rows)}"
    print(text)
    if record:
        begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
        marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        old = record.read_text()
        if not marked.search(old):
            raise SystemExit(f"{record}: no place marked {begin} … {end}")
        record.write_text(marked.sub(lambda _: f"{begin}\n{text}\n{end}", old))
    beyond = [" ".join(filter(None, (row.get("case"), row["what"]))) for row in rows if not is_good(row)]
    print(f"\n{len(rows) - len(beyond)} of {len(rows)} within their limits" + "".join(f"\nbeyond: {what}" for what in beyond))
    return 1 if beyond or not rows else 0
