"""Practice quizzes: kept as they were made, and graded as often as somebody likes."""

from typing import Any, cast

from unpuzzle_server.ai import queries
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found

Body = dict[str, Any]


async def get(tx: Transaction, quiz_id: Any) -> Body:
    found = await tx.value(queries.GET_QUIZ, practice=quiz_id, user=tx.user.user_id)
    if found is None:
        raise not_found("quiz")
    return cast("Body", found)


async def grade(tx: Transaction, quiz_id: str, answers: list[Body]) -> Body:
    quiz = await get(tx, quiz_id)
    given = _given(quiz, answers)
    results = [_graded(question, given.get(question["id"])) for question in quiz["questions"]]
    score = sum(result["points"] for result in results)
    percentage = (200 * score + quiz["total_points"]) // (2 * quiz["total_points"])  # rounded half up
    passed = score >= quiz["passing_score"]
    kept = {"practice": quiz_id, "user": tx.user.user_id, "percentage": percentage, "passed": passed}
    return {
        "quiz_id": quiz["quiz_id"],
        "score": score,
        "total_points": quiz["total_points"],
        "passing_score": quiz["passing_score"],
        "percentage": percentage,
        "passed": passed,
        "results": results,
        "graded_at": await tx.value(queries.GRADED, **kept),
    }


def _given(quiz: Body, answers: list[Body]) -> dict[str, int]:
    """The answers by question; raises ANSWER_INVALID for what answers none, or one twice, or with an option that is not there."""
    options = {question["id"]: len(question["options"]) for question in quiz["questions"]}
    given: dict[str, int] = {}
    problems = []
    for place, each in enumerate(answers):
        question = each["question_id"].lower()
        if question not in options:
            problems.append({"field": f"answers.{place}.question_id", "message": "is no question of this quiz"})
        elif question in given:
            problems.append({"field": f"answers.{place}.question_id", "message": "is answered twice"})
        elif each["answer"] >= options[question]:
            problems.append({"field": f"answers.{place}.answer", "message": "is no option of the question"})
        else:
            given[question] = int(each["answer"])
    if problems:
        raise Problem("ANSWER_INVALID", "This is no answer to the quiz.", details=problems)
    return given


def _graded(question: Body, answer: int | None) -> Body:
    is_correct = answer == question["correct_answer"]
    return {
        "question_id": question["id"],
        "answer": answer,
        "is_correct": is_correct,
        "correct_answer": question["correct_answer"],
        "explanation": question["explanation"],
        "points": question["points"] if is_correct else 0,
    }
