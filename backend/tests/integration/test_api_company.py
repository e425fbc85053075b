"""A company profile over HTTP: whole, strict, one a user, and the same through Excel and back."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from typing import Any

import httpx
import openpyxl
import pytest
import xlsxwriter

from backend.tests.api_client import Api, Person

PROFILE: dict[str, Any] = {
    "name": "东岳云图科技有限公司",
    "credit_code": "91330100MA2ABCDE0N",
    "legal_form": "有限责任公司",
    "province": "浙江省",
    "city": "杭州市",
    "founded_on": "2012-06-01",
    "registered_capital": 10_000_000.0,
    "staff_count": 150,
    "size": "small",
    "qualifications": [{"name": "电子与智能化工程专业承包", "level": "二级", "valid_until": "2028-05-01"}],
    "certificates": [
        {
            "name": "ISO9001 质量管理体系认证",
            "number": "Q-1",
            "valid_from": "2025-07-01",
            "valid_until": "2028-06-30",
        },
        {"name": "软件企业证书", "valid_until": "9999-12-31", "scope": "软件开发"},
    ],
    "references": [
        {
            "project": "某市民中心物业管理服务",
            "customer": "某市机关事务管理局",
            "kind": "service",
            "amount": 3_200_000.5,
            "signed_on": "2025-05-20",
            "keywords": ["物业管理", "保洁"],
        }
    ],
    "people": [
        {
            "name": "张三",
            "role": "项目经理",
            "title": "高级工程师",
            "certificates": ["一级建造师（机电工程）", "PMP"],
            "social_security_months": 24,
            "years": 12,
        }
    ],
    "financials": [{"year": 2025, "revenue": 60_000_000.0, "profit": -5.25, "audited": True}],
    "declarations": {"credit_china": {"holds": True, "checked_on": "2026-11-20"}},
    "consortium": "alone",
    "complete": {
        "qualifications": True,
        "certificates": True,
        "references": False,
        "people": False,
        "financials": False,
    },
    "notes": "=1+1 不是公式",
}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _without_empty(value: Any) -> Any:
    """What an answer says, without nulls and empty lists, which a profile may leave out."""
    if isinstance(value, dict):
        return {k: _without_empty(v) for k, v in value.items() if v is not None and v != [] and v != {}}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


async def _import(person: Person, content: bytes, name: str, **query: object) -> httpx.Response:
    return await person.http.post("/api/company/import", params=query, files={"file": (name, content)})


def _xlsx(sheets: dict[str, list[list[Any]]]) -> bytes:
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return target.getvalue()


async def test_a_profile_that_was_never_set_is_empty(api: Api) -> None:
    person = await api.person("zhangsan")

    answer = await person.http.get("/api/company")

    assert answer.status_code == 200
    body = answer.json()
    assert (body["version"], body["updated_at"]) == (0, None)
    assert body["profile"]["qualifications"] == []
    assert answer.headers["etag"].startswith('"0-')
    assert "no-cache" in answer.headers["cache-control"]


async def test_what_was_put_is_read_and_versions_grow(api: Api) -> None:
    person = await api.person("zhangsan")

    first = await person.http.put("/api/company", json=PROFILE)
    second = await person.http.put("/api/company", json={**PROFILE, "staff_count": 151})
    read = await person.http.get("/api/company")

    assert (first.status_code, second.status_code) == (200, 200), first.text
    assert _without_empty(first.json()["profile"]) == PROFILE
    assert [first.json()["version"], second.json()["version"]] == [1, 2]
    assert read.json() == second.json()
    assert read.json()["updated_at"].endswith("Z")
    assert read.headers["etag"] == second.headers["etag"] != first.headers["etag"]
    again = await person.http.get("/api/company", headers={"If-None-Match": read.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_writer_who_knows_an_old_version_changes_nothing(api: Api) -> None:
    """Two windows of one user: the second must not undo the first without knowing."""
    person = await api.person("zhangsan")
    old = (await person.http.get("/api/company")).headers["etag"]
    saved = await person.http.put("/api/company", json=PROFILE, headers={"If-Match": old})
    assert saved.status_code == 200

    for method, body in (("PUT", {}), ("PATCH", {"staff_count": 1}), ("DELETE", None)):
        answer = await person.http.request(method, "/api/company", json=body, headers={"If-Match": old})
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_profile"), method
    imported = await person.http.post(
        "/api/company/import", files={"file": ("a.json", b"{}")}, headers={"If-Match": old}
    )

    assert imported.status_code == 412
    assert (await person.http.get("/api/company")).headers["etag"] == saved.headers["etag"]


async def test_writers_at_once_each_count_one_version(api: Api) -> None:
    """The first rows of one user meet on a key that is not there yet."""
    person = await api.person("zhangsan")

    answers = await asyncio.gather(
        *(person.http.put("/api/company", json={"staff_count": n}) for n in range(5))
    )

    assert [answer.status_code for answer in answers] == [200] * 5
    assert sorted(answer.json()["version"] for answer in answers) == [1, 2, 3, 4, 5]


async def test_a_patch_changes_what_it_names(api: Api) -> None:
    person = await api.person("zhangsan")
    await person.http.put("/api/company", json=PROFILE)

    answer = await person.http.patch(
        "/api/company", json={"staff_count": None, "people": [], "city": "宁波市"}
    )

    expected = {**PROFILE, "city": "宁波市"}
    del expected["staff_count"], expected["people"]
    assert _without_empty(answer.json()["profile"]) == expected


async def test_a_deleted_profile_is_empty_and_its_etag_never_returns(api: Api) -> None:
    person = await api.person("zhangsan")
    first = await person.http.put("/api/company", json=PROFILE)

    gone = await person.http.delete("/api/company", headers={"If-Match": first.headers["etag"]})
    again = await person.http.delete("/api/company")

    assert (gone.status_code, again.status_code) == (204, 204)
    assert (await person.http.get("/api/company")).json()["version"] == 0
    anew = await person.http.put("/api/company", json=PROFILE)
    assert anew.json()["version"] == 1
    assert anew.headers["etag"] != first.headers["etag"]


async def test_profiles_belong_to_their_users(api: Api) -> None:
    owner, other = await api.person("zhangsan"), await api.person("lisi")
    await owner.http.put("/api/company", json=PROFILE)

    assert (await other.http.get("/api/company")).json()["version"] == 0
    assert (await other.http.get("/api/company/export?format=json")).json() == {"profile": {}}
    assert (await other.http.delete("/api/company")).status_code == 204
    assert (await other.http.put("/api/company", json={"name": "他人"})).status_code == 200
    assert (await owner.http.get("/api/company")).json()["profile"]["name"] == PROFILE["name"]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"nmae": "x"}, "nmae", "不支持的字段"),
        ({"certificates": [{"level": "一级"}]}, "certificates.0.name", "缺少必填项"),
        ({"certificates": [{"name": " "}]}, "certificates.0.name", "至少需要 1 个字符"),
        ({"founded_on": "2012年6月1日"}, "founded_on", "应为日期，如 2027-03-01"),
        ({"founded_on": "2012-02-30"}, "founded_on", "应为日期，如 2027-03-01"),
        ({"founded_on": 20120601}, "founded_on", "应为日期，如 2027-03-01"),
        ({"size": "huge"}, "size", "只能是 'large', 'medium', 'small' or 'micro'"),
        ({"registered_capital": "100"}, "registered_capital", "应为数字"),
        ({"registered_capital": -1}, "registered_capital", "不能小于 0.0"),
        ({"staff_count": 1.5}, "staff_count", "应为整数"),
        ({"notes": "长" * 2001}, "notes", "最多 2000 个字符"),
        ({"name": "空\x00字符"}, "name", "含有无法保存的字符"),
        ({"credit_code": "91330100MA2ABCDE0A"}, "credit_code", "统一社会信用代码的校验位不正确"),
        ({"people": [{"name": "张三", "role": "330102199001011234"}]}, "people.0.role", "请勿填写身份证号"),
        ({"financials": [{"year": 2024}, {"year": 2024}]}, "", "财务数据的年度重复"),
        (
            {"people": [{"name": "张三"}] * 1000, "references": [{"project": "x"}] * 1001},
            "",
            "各清单合计最多 2000 行",
        ),
        ({"qualifications": [{"name": "x", "scope": "范" * 1999}] * 200}, "", "公司档案过大：最多 1 MB"),
        (
            {"certificates": [{"name": "x", "valid_from": "2025-01-02", "valid_until": "2025-01-01"}]},
            "certificates.0",
            "有效期至不能早于生效日期",
        ),
    ],
)
async def test_a_wrong_field_is_named_in_chinese(
    sqlite_api: Api, body: dict[str, Any], field: str, message: str
) -> None:
    person = await sqlite_api.person("zhangsan")

    raw = json.dumps(body, ensure_ascii=False).encode()
    answer = await person.http.put("/api/company", content=raw, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), answer.text
    assert {"field": field, "message": message} in [
        {"field": e["field"], "message": e["message"]} for e in answer.json()["errors"]
    ]
    assert (await person.http.get("/api/company")).json()["version"] == 0


async def test_a_patch_that_makes_the_profile_too_large_is_refused(sqlite_api: Api) -> None:
    """Each part may be right and the whole too much."""
    person = await sqlite_api.person("zhangsan")
    await person.http.put("/api/company", json={"people": [{"name": "张三"}] * 1500})

    answer = await person.http.patch("/api/company", json={"references": [{"project": "x"}] * 600})

    assert answer.status_code == 422
    assert (await person.http.get("/api/company")).json()["version"] == 1


async def test_a_body_that_is_too_large_is_not_read(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")

    put = await person.http.put("/api/company", content=b"x" * 2_000_000)
    posted = await _import(person, b"x" * (6 * 1024 * 1024 + 1), "a.xlsx")

    assert (put.status_code, put.json()["code"]) == (413, "body_too_large")
    assert (posted.status_code, posted.json()["code"]) == (413, "file_too_large")


@pytest.mark.parametrize("format_", ["xlsx", "json"])
async def test_what_is_exported_is_imported_as_it_was(api: Api, format_: str) -> None:
    person, other = await api.person("zhangsan"), await api.person("lisi")
    stored = await person.http.put("/api/company", json=PROFILE)

    file = await person.http.get(f"/api/company/export?format={format_}")
    answer = await _import(other, file.content, f"公司档案.{format_}")

    assert file.headers["content-disposition"].startswith("attachment;")
    assert (answer.status_code, answer.json()["stored"]) == (200, True), answer.text
    assert answer.json()["problems"] == []
    assert answer.json()["profile"] == stored.json()["profile"]
    assert (await other.http.get("/api/company")).headers["etag"] == answer.headers["etag"]


async def test_an_export_holds_no_formula(sqlite_api: Api) -> None:
    """What a user typed must not become a formula on somebody's desk."""
    person = await sqlite_api.person("zhangsan")
    await person.http.put("/api/company", json=PROFILE)

    file = await person.http.get("/api/company/export")

    with zipfile.ZipFile(io.BytesIO(file.content)) as package:
        sheets = [package.read(name) for name in package.namelist() if "worksheets/sheet" in name]
    assert sheets
    assert not any(b"<f>" in sheet for sheet in sheets)


async def test_the_template_explains_itself_and_reads_back_without_error(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    await person.http.put("/api/company", json=PROFILE)

    file = await person.http.get("/api/company/template")
    answer = await _import(person, file.content, "模板.xlsx", dry_run=True)

    book = openpyxl.load_workbook(io.BytesIO(file.content))
    assert book.sheetnames == ["基本信息", "资质", "证书", "业绩", "人员", "财务", "声明"]
    assert book["资质"]["F1"].value == "有效期至"
    assert "长期" in book["资质"]["F1"].comment.text
    assert any(rule.type == "list" for rule in book["业绩"].data_validations.dataValidation)
    assert file.headers["content-type"] == XLSX
    body = answer.json()
    assert (body["problems"], body["ignored"], body["stored"]) == ([], [], False)
    assert [sheet["examples"] for sheet in body["sheets"]] == [0, 1, 1, 1, 1, 1, 0]
    assert [sheet["rows"] for sheet in body["sheets"]][1:6] == [0, 0, 0, 0, 0]


async def test_a_preview_names_rows_and_stores_nothing(api: Api) -> None:
    person = await api.person("zhangsan")
    await person.http.put("/api/company", json={"name": "原名"})
    file = _xlsx(
        {
            "证书": [
                ["公司证书一览"],
                ["序号", "证书名称", "证书号", "有效期至"],
                [1, "ISO9001 认证", "Q-1", "2027年3月1日"],
                [],
                [2, "ISO27001 认证", "Q-2", "下个月"],
                [3, "", "Q-3", "长期"],
            ],
            "财务": [["年度", "营业收入（万元）", "是否审计"], [2025, 1234.5, "是"], [2024, "很多", "也许"]],
            "随笔": [["今天天气不错"]],
        }
    )

    zh = await _import(person, file, "我的公司.xlsx", dry_run=True)
    stored = await _import(person, file, "我的公司.xlsx")

    body = zh.json()
    assert zh.status_code == 200
    assert body["profile"] is None
    assert [(p["sheet"], p["row"], p["column"]) for p in body["problems"]] == [
        ("证书", 5, "有效期至"),
        ("证书", 6, "证书名称"),
        ("财务", 3, "营业收入（元）"),
        ("财务", 3, "是否审计"),
    ]
    assert body["ignored"] == ["随笔"]
    assert (stored.status_code, stored.json()["code"]) == (422, "validation_error")
    assert stored.json()["errors"][0]["field"] == "证书.第5行.有效期至"
    assert "第5行" in stored.json()["detail"]
    assert (await person.http.get("/api/company")).json()["version"] == 1
    person.http.headers["Accept-Language"] = "en"
    english = await _import(person, file, "a.xlsx", dry_run=True)
    assert english.json()["problems"][0]["message"] == "is not a date such as 2027-03-01"


async def test_an_import_replaces_its_lists_and_leaves_the_others(api: Api) -> None:
    person = await api.person("zhangsan")
    await person.http.put("/api/company", json=PROFILE)
    file = _xlsx(
        {
            "项目业绩": [
                ["合同名称", "业主单位", "合同额（万元）", "签订时间", "类型"],
                ["某园区运维", "某管委会", 88.5, "2024/3/1", "服务"],
            ],
            "基本情况": [["企业名称", "新名有限公司"], ["注册资金", "500万元"], ["人员清单已完整", "是"]],
        }
    )

    answer = await _import(person, file, "更新.xlsx")

    made = answer.json()["profile"]
    assert answer.status_code == 200, answer.text
    assert _without_empty(made["references"]) == [
        {
            "project": "某园区运维",
            "customer": "某管委会",
            "amount": 885_000.0,
            "signed_on": "2024-03-01",
            "kind": "service",
        }
    ]
    assert (made["name"], made["registered_capital"], made["city"]) == ("新名有限公司", 5_000_000.0, "杭州市")
    assert made["complete"]["people"] is True
    assert made["complete"]["qualifications"] is True
    assert _without_empty(made["people"]) == PROFILE["people"]


async def test_a_csv_in_gb18030_is_known_by_its_headers(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    text = "姓名,岗位,职称,资格证书,社保月数\n李四,技术负责人,高级工程师,PMP、CISP,36\n"

    answer = await _import(person, text.encode("gb18030"), "团队.csv")

    assert _without_empty(answer.json()["profile"]["people"]) == [
        {
            "name": "李四",
            "role": "技术负责人",
            "title": "高级工程师",
            "certificates": ["PMP", "CISP"],
            "social_security_months": 36,
        }
    ]


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [
        (b"", "a.xlsx", 422, "empty_document"),
        (b"%PDF-1.7", "a.pdf", 415, "unsupported_file_type"),
        (b"{broken", "a.json", 415, "unsupported_file_type"),
        (b"PK\x03\x04 no zip", "a.xlsx", 422, "unreadable_document"),
        (b"\xd0\xcf\x11\xe0 no workbook", "a.xls", 422, "unreadable_document"),
        (b"a,b\nc,d\n", "a.csv", 422, "validation_error"),
        (b"x" * (5 * 1024 * 1024 + 1), "a.csv", 413, "file_too_large"),
    ],
)
async def test_what_is_no_profile_is_refused_with_a_sentence(
    sqlite_api: Api, content: bytes, name: str, status: int, code: str
) -> None:
    person = await sqlite_api.person("zhangsan")

    answer = await _import(person, content, name)
    english = await person.http.post(
        "/api/company/import", files={"file": (name, content)}, headers={"Accept-Language": "en"}
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert english.json()["detail"].isascii(), english.text


async def test_a_workbook_that_spans_the_whole_sheet_harms_nobody(sqlite_api: Api) -> None:
    """Two cells, seventeen thousand million places: only the child runs out of memory."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True})
    sheet = book.add_worksheet("证书")
    sheet.write_string(0, 0, "证书名称")
    sheet.write_string(1_048_575, 16_383, "x")
    book.close()
    person = await sqlite_api.person("zhangsan")

    answer = await _import(person, target.getvalue(), "a.xlsx")

    assert (answer.status_code, answer.json()["code"]) == (422, "parse_limit_exceeded"), answer.text
    assert (await person.http.get("/api/company")).status_code == 200


async def test_a_bomb_is_refused_by_its_directory(sqlite_api: Api) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/workbook.xml", b"0" * (80 * 1024 * 1024))
    person = await sqlite_api.person("zhangsan")

    answer = await _import(person, target.getvalue(), "a.xlsx")

    assert (answer.status_code, answer.json()["code"]) == (422, "parse_limit_exceeded")
