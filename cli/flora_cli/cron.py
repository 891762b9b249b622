"""``flora cron``: a guild's jobs by the clock."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.text import Text

from flora_cli import completion, show
from flora_cli.access import Asked, reach
from flora_cli.errors import CliError
from flora_cli.options import ApiUrl, AsJson, Env, Guild, ProjectFolder
from flora_cli.output import note, print_json

app: Final = typer.Typer(name="cron", help="See and run a guild's jobs by the clock.", no_args_is_help=True)


@app.command(name="list")
def list_jobs(
    *,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """List the jobs, with when they run.

    Example: flora cron list
    """
    with reach(Asked(guild, env, api, project)) as access:
        jobs = access.jobs()
    if json:
        print_json(jobs)
    elif not jobs:
        note("the script has no jobs")
    else:
        rows = [
            (job.name, job.expression, *(show.moment(at) if at else "never" for at in (job.next, job.last)))
            for job in jobs
        ]
        show.print_rows(("NAME", "EXPRESSION", "NEXT", "LAST"), rows)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="The job's name.", autocompletion=completion.jobs)],
    *,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Run a job now and wait for its end. Exits with 1 when it ends badly.

    Example: flora cron run cleanup
    """
    with reach(Asked(guild, env, api, project)) as access:
        ran = access.run_job(name)
    if json:
        print_json(ran)
    else:
        text = f"{show.plain(ran.name)} {ran.outcome} after {ran.milliseconds:,.0f} ms"
        show.console().print(Text(text))
    if ran.outcome != "ok":
        raise CliError(f"the job ended with {ran.outcome}; see: flora logs -n 20")
