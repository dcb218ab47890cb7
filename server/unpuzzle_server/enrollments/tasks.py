"""Tasks of the tag `enrollments`: bulk enrolments, and what is mailed of them."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from unpuzzle_server.auth.recovery import token_hash
from unpuzzle_server.enrollments.bulk import invitation_token
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import task
from unpuzzle_server.mail.sending import send

BATCH = 500
INVITED_FOR = timedelta(days=30)

ENROLL = text("SELECT app.enroll_in_bulk(:job, :size, :until)")
ARM = text("SELECT * FROM app.arm_invitation(:invitation, :hash)")
DROP_JOBS = text("DELETE FROM bulk_jobs WHERE created_at <= app.now() - interval '90 days'")
DROP_INVITATIONS = text("DELETE FROM invitations WHERE expires_at <= app.now()")


@task("enrollments.enroll_in_bulk", seconds=3600)
async def enroll_in_bulk(ctx: TaskContext, job_id: str) -> None:
    """A transaction for each batch: whoever looks sees how far it is, and another worker goes on where one has died."""
    left = 1
    while left:
        async with ctx.transaction() as tx:
            left = await tx.value(ENROLL, job=job_id, size=BATCH, until=ctx.kernel.clock.now() + INVITED_FOR)


@task("enrollments.mail_invitation")
async def mail_invitation(ctx: TaskContext, invitation_id: str) -> None:
    settings = ctx.kernel.settings
    token = invitation_token(settings.secret_key, UUID(invitation_id))
    async with ctx.transaction() as tx:
        found = await tx.row(ARM, invitation=invitation_id, hash=token_hash(token))
    if found is None:  # accepted or taken back meanwhile
        return
    link = f"{settings.app_url}/invitations?token={token}"
    await send(ctx, "invitation", found.email, course=found.title, instructor=found.instructor, link=link)


@task("enrollments.purge", every=timedelta(hours=1))
async def purge(tx: Transaction) -> None:
    """Removes jobs that nobody needs any more, and invitations that have expired."""
    for statement in (DROP_JOBS, DROP_INVITATIONS):
        await tx.execute(statement)
