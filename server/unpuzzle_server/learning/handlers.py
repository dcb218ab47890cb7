"""Operations of the tag `learning`."""

import asyncio
from typing import Any

from unpuzzle_server.documents.certificate import certificate
from unpuzzle_server.enrollments.service import list_student_courses
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.pagination import Page
from unpuzzle_server.learning import attempts, certificates, playback, progress, reviews

Body = dict[str, Any]


async def list_courses(
    tx: Transaction, page: int, page_size: int, status: str | None, sort: str | None, order: str | None
) -> Page:
    return await list_student_courses(tx, page, page_size, status, sort, order)


async def get_progress(tx: Transaction, course_id: str) -> Body:
    return await progress.of_course(tx, course_id)


async def get_course(tx: Transaction, course_id: str, texts: bool) -> Body:
    return await progress.tree(tx, course_id, texts=texts)


async def record_progress(tx: Transaction, lesson_id: str, body: Body) -> Body:
    return await progress.record(tx, lesson_id, body)


async def complete_lesson(tx: Transaction, lesson_id: str) -> Body:
    return await progress.complete(tx, lesson_id)


async def reopen_lesson(tx: Transaction, lesson_id: str) -> None:
    await progress.reopen(tx, lesson_id)


async def create_review(tx: Transaction, course_id: str, body: Body) -> Result:
    found = await reviews.create(tx, course_id, body)
    return Result(found.review, found.version)


async def update_review(tx: Transaction, course_id: str, body: Body, if_match: str | None) -> Result:
    found = await reviews.update(tx, course_id, body, if_match)
    return Result(found.review, found.version)


async def delete_review(tx: Transaction, course_id: str, if_match: str | None) -> None:
    await reviews.delete(tx, course_id, if_match)


async def get_playback(tx: Transaction, lesson_id: str) -> Body:
    return await playback.find(tx, lesson_id)


async def list_attempts(tx: Transaction, quiz_id: str, page: int, page_size: int) -> Page:
    return await attempts.list_own(tx, quiz_id, page, page_size)


async def start_attempt(tx: Transaction, quiz_id: str) -> Result:
    found, is_new = await attempts.start(tx, quiz_id)
    location = f"/api/v1/student/quizzes/{quiz_id}/attempts/{found.attempt['id']}/"
    return Result(found.attempt, found.version if is_new else None, location=location, status=201 if is_new else 200)


async def get_attempt(tx: Transaction, quiz_id: str, attempt_id: str) -> Result:
    found = await attempts.get(tx, quiz_id, attempt_id)
    return Result(found.attempt, found.version)


async def submit_attempt(tx: Transaction, quiz_id: str, attempt_id: str, body: Body) -> Body:
    return await attempts.submit(tx, quiz_id, attempt_id, body["answers"])


async def list_certificates(tx: Transaction, page: int, page_size: int) -> Page:
    return await certificates.list_own(tx, page, page_size)


async def verify_certificate(tx: Transaction, code: str) -> Body:
    return await certificates.find(tx, code)


async def download_certificate(ctx: Context, code: str) -> Result:
    async with ctx.transaction() as tx:
        found = await certificates.find_valid(tx, code)
    pdf = await asyncio.to_thread(certificate, found, ctx.kernel.settings.document_fonts)
    return Result(pdf, media_type="application/pdf")


async def certificate_page(tx: Transaction, code: str) -> Result:
    return Result(certificates.as_page(await certificates.find(tx, code)), media_type="text/html")


async def revoke_certificate(tx: Transaction, code: str, body: Body) -> Body:
    return await certificates.revoke(tx, code, body.get("reason"))
