"""Every error the product knows, as one tree.

AppError
├── InputError                  the request or its content is wrong; no retry cures it
│   ├── ValidationFailed        422 validation_error
│   ├── TextTooLong             413 text_too_long
│   ├── FileTooLarge            413 file_too_large
│   ├── BodyTooLarge            413 body_too_large
│   ├── UnsupportedFileType     415 unsupported_file_type
│   ├── ExportTooLarge          422 export_too_large
│   ├── BadRequestBody          400 bad_request
│   └── MethodNotAllowed        405 method_not_allowed
├── AccessError                 who asks, not what
│   ├── NotAuthenticated        401 not_authenticated
│   ├── InvalidToken            401 invalid_token
│   ├── InvalidCredentials      401 invalid_credentials
│   ├── Forbidden               403 forbidden
│   ├── RegistrationClosed      403 registration_closed
│   └── TooManyAttempts         429 too_many_attempts (Retry-After)
├── NotFound                    404 not_found
│   ├── TaskNotFound            404 task_not_found
│   ├── FileNotFound            404 file_not_found
│   ├── DocumentNotFound        404 document_not_found
│   └── ItemNotFound            404 item_not_found
├── Conflict                    409 conflict
│   ├── NotCancellable          409 not_cancellable
│   ├── NotRetryable            409 not_retryable
│   ├── BaseNotAnalysed         409 base_not_analysed
│   ├── BaseDocumentGone        409 base_document_gone
│   ├── UsernameTaken           409 username_taken
│   ├── NoResult                409 no_result
│   ├── NoDates                 409 no_dates
│   ├── IdempotencyConflict     409 idempotency_conflict
│   └── StaleProfile            412 stale_profile
├── QuotaExceeded               429 quota_exceeded
├── DocumentError               the file or text itself; fails the task at once
│   ├── EmptyDocument           422 empty_document
│   ├── EncryptedDocument       422 encrypted_document
│   ├── UnreadableDocument      422 unreadable_document
│   ├── DocumentNeedsOCR        422 document_needs_ocr
│   └── ParseLimitExceeded      422 parse_limit_exceeded
├── LLMError                    the call to a model
│   ├── LLMTimeout              504 llm_timeout           retryable
│   ├── LLMConnectionFailed     502 llm_connection        retryable
│   ├── LLMUnavailable          502 llm_unavailable       retryable (5xx, cut or empty stream)
│   ├── LLMThrottled            429 llm_throttled         retryable, carries retry_after
│   ├── LLMGateClosed           503 llm_gate_closed       retryable, carries retry_after; no call was made
│   ├── LLMAuthFailed           502 llm_auth
│   ├── LLMQuotaExhausted       502 llm_quota
│   ├── LLMContextTooLong       422 llm_context_too_long
│   ├── LLMContentRefused       422 llm_content_refused
│   ├── LLMBadRequest           502 llm_bad_request
│   └── LLMInvalidAnswer        502 llm_invalid_answer
├── ServiceUnavailable          503 service_unavailable   retryable
└── TaskError                   what befell an attempt
    ├── TaskTimeout             504 task_timeout          retryable
    ├── BudgetExceeded          422 task_budget_exceeded
    ├── Poisoned                500 poisoned
    └── InternalError           500 internal_error        retryable (a bug; the traceback is in the log only)

An error knows its sentence in Chinese and English, its HTTP status, its stable code and whether a later
try can help. It never carries a path, SQL, key or document text.
"""

from __future__ import annotations

from typing import Any, ClassVar


class AppError(Exception):
    """The root. `params` fill the `{…}` places of both sentences; `name_en` instead of `name` in English."""

    message: ClassVar[str] = "系统内部错误，请稍后再试"
    message_en: ClassVar[str] = "Internal error; please try again later."
    code: ClassVar[str] = "internal_error"
    status_code: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        *,
        errors: list[dict[str, Any]] | None = None,
        retry_after: float | None = None,
        **params: object,
    ) -> None:
        """`errors`: field problems for a 422. `retry_after`: seconds until another try makes sense."""
        self.params = params
        self.errors = errors
        self.retry_after = retry_after
        super().__init__(self.sentence())

    def sentence(self, language: str = "zh") -> str:
        """One sentence a salesperson understands."""
        template, params = self.message, self.params
        if language == "en":
            own = {name.removesuffix("_en"): value for name, value in params.items() if name.endswith("_en")}
            template, params = self.message_en, {**params, **own}
        try:
            return template.format(**params)
        except (KeyError, IndexError):
            return template


class InputError(AppError):
    message, message_en = "请求内容有误", "The request is not valid."
    code, status_code = "bad_request", 400


class BadRequestBody(InputError):
    message, message_en = (
        "请求无法解析，请检查格式",
        "The request could not be parsed; check its format.",
    )


class ValidationFailed(InputError):
    message, message_en = (
        "请求参数有误：{detail}",
        "The request parameters are not valid: {detail}",
    )
    code, status_code = "validation_error", 422

    @classmethod
    def of(cls, field: str, message: str, message_en: str, *, type: str = "value_error") -> ValidationFailed:  # noqa: A002
        """One field that is wrong, said in both languages."""
        problem = {"field": field, "message": message, "message_en": message_en, "type": type}
        return cls(errors=[problem], detail=f"{field}：{message}")


class MethodNotAllowed(InputError):
    message, message_en = "该地址不支持这种请求方法", "This address does not support that method."
    code, status_code = "method_not_allowed", 405


class TextTooLong(InputError):
    message, message_en = (
        "文本过长：最多 {limit} 字",
        "The text is too long: at most {limit} characters.",
    )
    code, status_code = "text_too_long", 413


class FileTooLarge(InputError):
    message, message_en = (
        "文件过大：最多 {limit_mb} MB",
        "The file is too large: at most {limit_mb} MB.",
    )
    code, status_code = "file_too_large", 413


class BodyTooLarge(InputError):
    message, message_en = "请求内容过大", "The request body is too large."
    code, status_code = "body_too_large", 413


class UnsupportedFileType(InputError):
    message, message_en = (
        "不支持的文件类型：{detail}",
        "Unsupported file type: {detail}",
    )
    code, status_code = "unsupported_file_type", 415


class ExportTooLarge(InputError):
    message, message_en = (
        "结果过大，无法导出为该格式，请改用 JSON",
        "The result is too large for this format; export it as JSON.",
    )
    code, status_code = "export_too_large", 422


class AccessError(AppError):
    message, message_en = "没有权限", "Not allowed."
    code, status_code = "forbidden", 403


class Forbidden(AccessError):
    message, message_en = "没有权限执行此操作", "You are not allowed to do this."


class NotAuthenticated(AccessError):
    message, message_en = (
        "请先登录：请求缺少 Authorization: Bearer 令牌",
        "Please log in: the request carries no Authorization: Bearer token.",
    )
    code, status_code = "not_authenticated", 401


class InvalidToken(AccessError):
    message, message_en = (
        "登录已失效，请重新登录",
        "The token is not valid or has expired; please log in again.",
    )
    code, status_code = "invalid_token", 401


class InvalidCredentials(AccessError):
    message, message_en = "用户名或密码不正确", "The user name or password is not correct."
    code, status_code = "invalid_credentials", 401


class RegistrationClosed(AccessError):
    message, message_en = (
        "当前未开放注册，请联系管理员",
        "Registration is closed; please ask an administrator.",
    )
    code = "registration_closed"


class TooManyAttempts(AccessError):
    message, message_en = "尝试次数过多，请稍后再试", "Too many attempts; please try again later."
    code, status_code = "too_many_attempts", 429


class NotFound(AppError):
    message, message_en = "找不到请求的内容", "Not found."
    code, status_code = "not_found", 404


class TaskNotFound(NotFound):
    message, message_en = "任务不存在", "There is no such task."
    code = "task_not_found"


class FileNotFound(NotFound):
    message, message_en = "文件不存在或已被清理", "The file does not exist or was removed."
    code = "file_not_found"


class DocumentNotFound(NotFound):
    message, message_en = "文档尚未解析完成或已被清理", "The document is not parsed yet or was removed."
    code = "document_not_found"


class ItemNotFound(NotFound):
    message, message_en = "结果中没有这一条", "The result has no such item."
    code = "item_not_found"


class Conflict(AppError):
    message, message_en = (
        "操作与当前状态冲突",
        "The operation conflicts with the current state.",
    )
    code, status_code = "conflict", 409


class NotCancellable(Conflict):
    message, message_en = (
        "任务已结束，无法取消",
        "The task has ended and cannot be cancelled.",
    )
    code = "not_cancellable"


class NotRetryable(Conflict):
    message, message_en = (
        "只有失败或已取消的任务可以重试",
        "Only failed or cancelled tasks can be retried.",
    )
    code = "not_retryable"


class BaseNotAnalysed(Conflict):
    message, message_en = (
        "只能与已完成的标书分析任务比对：该任务尚未完成，或不是标书分析",
        "Only a completed tender analysis can be compared with: this task is not one, or not yet.",
    )
    code = "base_not_analysed"


class BaseDocumentGone(Conflict):
    message, message_en = (
        "原标书的文本已被清理，请重新分析原标书后再比对",
        "The text of the original tender was removed; analyse it again, then compare.",
    )
    code = "base_document_gone"


class UsernameTaken(Conflict):
    message, message_en = "用户名已被使用", "This user name is taken."
    code = "username_taken"


class NoResult(Conflict):
    message, message_en = (
        "任务没有结果：尚未完成、失败或已取消",
        "The task has no result: it is not completed, failed, or was cancelled.",
    )
    code = "no_result"


class NoDates(Conflict):
    message, message_en = (
        "文件中没有写明具体日期的事项，无法生成日历",
        "The document names no dates, so there is no calendar to export.",
    )
    code = "no_dates"


class IdempotencyConflict(Conflict):
    message, message_en = (
        "同一 Idempotency-Key 已用于不同内容的请求",
        "This Idempotency-Key was already used for a request with other content.",
    )
    code = "idempotency_conflict"


class StaleProfile(Conflict):
    message, message_en = (
        "公司档案已被修改，请刷新后再保存",
        "The company profile was changed meanwhile; reload it and save again.",
    )
    code, status_code = "stale_profile", 412


class QuotaExceeded(AppError):
    message, message_en = (
        "进行中的任务已达上限（{limit} 个），请等待部分任务完成后再提交",
        "You have reached the limit of {limit} active tasks; wait for some to finish.",
    )
    code, status_code = "quota_exceeded", 429


class DocumentError(AppError):
    message, message_en = "文件无法处理", "The file cannot be processed."
    code, status_code = "unreadable_document", 422


class UnreadableDocument(DocumentError):
    message, message_en = (
        "文件已损坏或格式不正确，无法读取",
        "The file is damaged or malformed and cannot be read.",
    )


class EmptyDocument(DocumentError):
    message, message_en = (
        "文件中没有可分析的文字",
        "The file contains no text that could be analysed.",
    )
    code = "empty_document"


class EncryptedDocument(DocumentError):
    message, message_en = (
        "文件已加密，请解除密码保护后重新上传",
        "The file is encrypted; remove its password and upload it again.",
    )
    code = "encrypted_document"


class DocumentNeedsOCR(DocumentError):
    message, message_en = (
        "文件是扫描件或文字层已损坏，需要文字识别（OCR）后才能分析",
        "The file looks scanned or its text layer is broken; it needs OCR before it can be analysed.",
    )
    code = "document_needs_ocr"


class ParseLimitExceeded(DocumentError):
    message, message_en = (
        "文件过于复杂，解析超出时间或内存限制",
        "The file is too complex: parsing it exceeded the time or memory limit.",
    )
    code = "parse_limit_exceeded"


class LLMError(AppError):
    message, message_en = "LLM 服务调用失败", "The LLM call failed."
    code, status_code = "llm_error", 502


class LLMTimeout(LLMError):
    message, message_en = (
        "LLM 请求超时，请检查网络或稍后再试",
        "The LLM request timed out; check the network or try again later.",
    )
    code, status_code, retryable = "llm_timeout", 504, True


class LLMConnectionFailed(LLMError):
    message, message_en = (
        "无法连接 LLM 服务，请检查网络或服务地址",
        "The LLM service could not be reached; check the network or its address.",
    )
    code, retryable = "llm_connection", True


class LLMUnavailable(LLMError):
    message, message_en = (
        "LLM 服务暂时不可用，请稍后再试",
        "The LLM service is temporarily unavailable; try again later.",
    )
    code, retryable = "llm_unavailable", True


class LLMThrottled(LLMError):
    message, message_en = (
        "LLM 服务请求过于频繁，稍后自动继续",
        "The LLM service is rate limiting; the task will go on by itself.",
    )
    code, status_code, retryable = "llm_throttled", 429, True


class LLMGateClosed(LLMError):
    """The way to every deployment is closed for now: nobody was asked, the task goes back to the queue."""

    message, message_en = (
        "LLM 服务暂停调用（{reason}），任务在恢复后自动继续",
        "Calls to the LLM service are paused ({reason}); the task will go on by itself.",
    )
    code, status_code, retryable = "llm_gate_closed", 503, True

    # `reason` is one of these; people read the words.
    reasons: ClassVar[dict[str, tuple[str, str]]] = {
        "outage": ("服务暂时不可用", "temporarily unavailable"),
        "throttle": ("服务限流", "rate limited"),
        "burst": ("服务限流", "rate limited"),
        "busy": ("并发已满", "too many calls at once"),
        "auth": (
            "API Key 被拒绝，等待管理员更正",
            "the API key was rejected; an administrator must correct it",
        ),
        "quota": (
            "账户余额或额度已用完，等待管理员处理",
            "the account is out of credit; an administrator must act",
        ),
    }

    def sentence(self, language: str = "zh") -> str:
        reason = str(self.params.get("reason", "outage"))
        words = self.reasons.get(reason, (reason, reason))
        template = self.message_en if language == "en" else self.message
        return template.format(reason=words[language == "en"])


class LLMAuthFailed(LLMError):
    message, message_en = (
        "LLM 服务拒绝了 API Key，请管理员检查密钥配置",
        "The LLM service rejected the API key; an administrator must check it.",
    )
    code = "llm_auth"


class LLMQuotaExhausted(LLMError):
    message, message_en = (
        "LLM 账户余额或额度已用完，请管理员充值或更换密钥",
        "The LLM account is out of credit; an administrator must top it up or change the key.",
    )
    code = "llm_quota"


class LLMContextTooLong(LLMError):
    message, message_en = (
        "文本或模型的回答超出长度限制",
        "The text, or the model's answer to it, exceeds the model's length limit.",
    )
    code, status_code = "llm_context_too_long", 422


class LLMContentRefused(LLMError):
    message, message_en = (
        "LLM 服务的内容审核拒绝了该文本",
        "The content filter of the LLM service refused the text.",
    )
    code, status_code = "llm_content_refused", 422


class LLMBadRequest(LLMError):
    message, message_en = (
        "LLM 服务拒绝了请求，请管理员检查模型名称与配置",
        "The LLM service refused the request; an administrator must check the model and its settings.",
    )
    code = "llm_bad_request"


class LLMInvalidAnswer(LLMError):
    message, message_en = (
        "模型返回的内容不是有效的 JSON，已停止重试",
        "The model's answer was not valid JSON, twice; no further try is made.",
    )
    code = "llm_invalid_answer"


class ServiceUnavailable(AppError):
    message, message_en = (
        "服务暂时不可用，请稍后再试",
        "The service is temporarily unavailable; try again later.",
    )
    code, status_code, retryable = "service_unavailable", 503, True


class TaskError(AppError):
    message, message_en = "任务执行失败", "The task failed."
    code = "task_failed"


class TaskTimeout(TaskError):
    message, message_en = (
        "任务执行超过 {seconds} 秒的时限",
        "The task took longer than its limit of {seconds} seconds.",
    )
    code, status_code, retryable = "task_timeout", 504, True


class BudgetExceeded(TaskError):
    message, message_en = (
        "继续分析将超过单个任务的 LLM 费用上限（{budget} 元，已用 {spent} 元）；"
        "请管理员调高上限后重试，已完成的部分不会再次计费",
        "Going on would exceed the LLM budget of a task ({budget} yuan, {spent} spent); an administrator can "
        "raise it, and a retry will not pay again for what is done.",
    )
    code, status_code = "task_budget_exceeded", 422


class Poisoned(TaskError):
    message, message_en = (
        "该任务多次导致工作进程崩溃，已停止执行",
        "This task made its worker process crash repeatedly and was stopped.",
    )
    code = "poisoned"


class InternalError(TaskError):
    message, message_en = (
        "处理时发生内部错误，请稍后重试；如反复出现请联系管理员",
        "An internal error occurred; try again later, and tell an administrator if it comes back.",
    )
    code, retryable = "internal_error", True
