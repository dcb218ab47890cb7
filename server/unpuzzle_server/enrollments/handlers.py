"""Operations of the tag `enrollments`."""

from typing import Any

from unpuzzle_server.enrollments import service
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import Transaction


async def enroll(tx: Transaction, course_id: str, body: dict[str, Any]) -> dict[str, Any]:
    enrollment = await service.enroll(tx, course_id, body)
    return {
        "enrollment_id": str(enrollment.id),
        "course_id": str(enrollment.course_id),
        "user_id": str(enrollment.user_id),
        "enrolled_at": rfc3339(enrollment.enrolled_at),
        "payment": None,
        "message": "Successfully enrolled in course",
    }
