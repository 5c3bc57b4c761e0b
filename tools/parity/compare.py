"""Runs a TypeScript comparison against a file of references, judges what it finds, and keeps the table in docs/."""

from __future__ import annotations

import hashlib
import json
import math
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from common import ROOT

WORKPLACE = ROOT / ".cache" / "parity"


def built() -> list[str]:
    """The command line of `baret`, freshly built."""
    subprocess.run(["node", "tools/build.mjs"], cwd=ROOT, check=True)
    return ["node", str(ROOT / "dist" / "cli" / "main.js")]


def findings(script: str, *arguments: object) -> list[dict]:
    """What a script of this folder found: {what, value, unit, most, least}; the last two may be absent."""
    command = ["node", "tools/run.mjs", f"tools/parity/{script}", *map(str, arguments)]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return [row | {"value": float(row["value"])} for row in rows]


def is_good(row: dict) -> bool:
    """NaN is never good."""
    return not math.isnan(row["value"]) and row["value"] <= row.get("most", math.inf) and row["value"] >= row.get("least", -math.inf)


def number(value: float) -> str:
    return f"{value:.1e}" if 0 < abs(value) < 0.1 else f"{value:.2f}".rstrip("0").rstrip(".")


def table(rows: list[dict]) -> str:
    """Markdown, one line a finding."""
    lines = ["| what | found | required | |", "|---|---|---|---|"]
    for row in rows:
        required = " ".join(f"{sign} {number(row[key])}" for key, sign in (("most", "≤"), ("least", "≥")) if key in row)
        verdict = ("ok" if is_good(row) else "**beyond**") if required else "for information"
        lines.append(f"| {row['what']} | {(number(row['value']) + ' ' + row.get('unit', '')).strip()} | {required} | {verdict} |")
    return "\n".join(lines)


def provenance(*weights: Path) -> str:
    """Which weights and which releases a table speaks of."""
    hashes = [f"{path.parents[1].name}/{path.parent.name} `{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}`" for path in weights]
    packages = [f"{name} {version(name)}" for name in ("torch", "diffusers", "transformers")]
    runtime = json.loads((ROOT / "node_modules" / "onnxruntime-node" / "package.json").read_text())["version"]
    return f"Weights (SHA-256): {', '.join(hashes)}. {', '.join(packages)}; onnxruntime-node {runtime}."


def conclude(section: str, rows: list[dict], said: str, record: Path | None) -> int:
    """Prints the table, keeps it between the section's marks of the file `record`, and gives the exit status."""
    text = f"{said}\n\n{table(rows)}"
    print(text)
    if record:
        begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
        marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        old = record.read_text()
        if not marked.search(old):
            raise SystemExit(f"{record}: no place marked {begin} … {end}")
        record.write_text(marked.sub(lambda _: f"{begin}\n{text}\n{end}", old))
    beyond = [row["what"] for row in rows if not is_good(row)]
    print(f"\n{len(rows) - len(beyond)} of {len(rows)} within their limits" + "".join(f"\nbeyond: {what}" for what in beyond))
    return 1 if beyond or not rows else 0
