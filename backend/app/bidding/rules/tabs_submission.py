"""Tab 投标形式: copies, sealing, signing, binding, upload, place and way of delivery, file formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.clauses import BIDDING, ClauseRule, scan
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.quotes import Candidate
from backend.app.bidding.rules.zones import Zone

_MODAL = r"(?:必须|须|应|不得|单独|分别|需|不能|不可|宜|采用|要求|由|均|一并|不接受)"
_COUNT = r"[\d一二三四五六七八九十两壹贰叁肆伍陆柒捌玖]{1,3}"
_WHERE = BIDDING | {Zone.FORMS}
_SEALS = "签字盖章要求"
_PROOF = re.compile(
    r"复印件|扫描件|证明(?:材料|文件)|评标委员会|评审委员会|合同(?:一式|正本|签|协议)|质疑|投诉|验收|澄清"
)
_NOT_HERE = re.compile(r"评标委员会|评审委员会|评委|样品|合同(?:一式|正本|签|协议)|质疑函|投诉书|验收")


_RULES: tuple[ClauseRule, ...] = (
    ClauseRule(
        "单独密封内容",
        re.compile(
            r"单独(?:密封|封装|包装|提交|递交)|(?:密封|封装)在(?:一个|同一)|分别(?:密封|封装|包装|装袋)"
        ),
        "需单独封装的内容装错会导致开标无法唱标或被拒收。",
        "按要求准备独立信封，封面注明内容、项目名称和编号。",
        Priority.CRITICAL,
        86,
    ),
    ClauseRule(
        "投标文件份数",
        re.compile(
            rf"(?:正本|副本|电子(?:版|文档|文件|投标文件|响应文件|光盘)?|纸质(?:文件|版)?|U盘|优盘"
            rf"|投标文件|响应文件)[^。；，]{{0,16}}{_COUNT}(?:份|套|本|式|正)|{_COUNT}(?:式{_COUNT}份"
            rf"|正{_COUNT}副|份正本|份副本|套正本)|文件份数"
        ),
        "份数不足会被拒收或视为不完整。",
        "按正本、副本、电子版的份数制作并在封面注明。",
        Priority.CRITICAL,
        85,
    ),
    ClauseRule(
        "递交地点与方式",
        re.compile(
            r"(?:递交|送达|提交|投标|接收|交纳|送至|开标)[^。；，：]{0,10}(?:地点"
            r"|地址)(?:及[^：]{0,8})?(?:：|为|是)[^。；]{4,}|(?:送交|送达|递交|提交|寄送|递送"
            r"|密封送)(?:到|至)[^。；]{0,20}(?:楼|室|路|号|街|厅|中心)"
            r"|(?:送达|寄达|递交)[^。；]{0,40}：[^。；]{4,40}(?:楼|室|号|厅|中心)"
        ),
        "送错地点或平台等同未递交。",
        "提前确认楼层房间或平台入口，安排专人与备用方案。",
        Priority.CRITICAL,
        82,
    ),
    ClauseRule(
        "不接受的递交形式",
        re.compile(
            r"(?:电报|电话|传真|邮寄|邮件|快递|电传)[^。；]{0,16}(?:不(?:予)?接受|概不|不予|拒绝"
            r"|无效)|不接受[^。；]{0,8}(?:邮寄|传真|电子邮件|快递|邮递)|现场(?:递交|提交)"
        ),
        "递交形式受限，形式不符会被拒绝。",
        "按指定形式递交，不用被排除的方式。",
        Priority.CRITICAL,
        80,
    ),
    ClauseRule(
        "密封要求",
        re.compile(
            rf"{_MODAL}[^。；]{{0,36}}(?:密封|封装|包封|封套|密封袋|封条)|(?:密封|封装|封套|信封"
            rf"|密封袋|封口|骑缝处)[^。；]{{0,30}}(?:{_MODAL}|加盖|标明|注明|盖章)"
            rf"|未(?:按[^。；]{{0,12}})?密封"
        ),
        "密封不合格的投标文件会被拒收。",
        "封口处盖章或签字，外封套注明规定字样。",
        Priority.CRITICAL,
        54,
    ),
    ClauseRule(
        "加密上传与解密",
        re.compile(
            r"(?:传输递交|(?:前|内)完成[^。；]{0,16}(?:传输|上传|递交|提交))|(?:客户端|制作工具|制作软件)[^。；]{0,24}(?:制作|加密|上传)"
            r"|未(?:按[^。；]{0,12})?(?:加密|签收|解密|上传)|加密(?:的)?(?:电子)?(?:投标|响应"
            r"|应答)?文件|(?:上传|递交|提交)[^。；]{0,20}(?:加密|电子(?:投标|响应|应答)?文件|平台"
            r"|系统|网)|(?:CA|数字证书|电子签章|电子印章|电子密钥|制作工具|投标(?:客户端|软件"
            r"|工具))[^。；]{0,40}(?:签|上传|加密|解密|制作|使用|办理|加盖|携带)|(?:使用|办理|携带"
            r"|持|加盖)[^。；]{0,16}(?:CA|数字证书|电子签章|电子印章|密钥)"
        ),
        "电子投标的加密、上传、签收缺一步即视为未投标。",
        "提前办好证书并试传，截止前确认平台回执。",
        Priority.CRITICAL,
        60,
    ),
    ClauseRule(
        "电子文件与扫描格式",
        re.compile(
            r"(?:PDF|pdf|WORD|word|Word|DOC|doc|EXCEL|Excel|excel|JPG|jpg|dpi|DPI)(?![a-z])|(?:U盘"
            r"|优盘|光盘)[^。；]{0,30}|不(?:能|得|做|进行)[^。；]{0,8}压缩|彩色扫描|原件(?:的)?扫描"
            r"|\d+(?:MB|M|G|KB)(?:以下|以内|以下)"
        ),
        "电子文件格式不符可能无法开启或评审。",
        "按格式、大小和载体要求导出，交叉检查可打开。",
        Priority.HIGH,
        70,
    ),
    ClauseRule(
        _SEALS,
        re.compile(
            rf"{_MODAL}[^。；]{{0,44}}(?:签字|签署|盖章|签章|加盖|公章|印章|骑缝章|签名)"
            rf"|加盖(?:骑缝章|公章|单位章|投标人章|印章)"
        ),
        "漏签漏盖是最常见的无效原因。",
        "列出全部签章页逐页核对，授权代表签字须附授权书。",
        Priority.HIGH,
        32,
    ),
    ClauseRule(
        "到场携带材料",
        re.compile(
            r"(?:随身|须|应|需|请|同时)?(?:携带|带至|带到|带齐|持)[^。；]{0,40}(?:证|书|件|原件|章"
            r"|表|U盘)|(?:准备|出示|提供)[^。；]{0,40}(?:原件|授权(?:委托)?书)[^。；]{0,16}(?:备查"
            r"|核验|核对|参加|签到|出席)?"
        ),
        "缺少现场材料会影响签到、谈判或核验。",
        "列入开标当日携带清单，原件专人保管。",
        Priority.HIGH,
        42,
    ),
    ClauseRule(
        "装订与页码",
        re.compile(
            r"装订|胶装|胶粘|活页|骑马订|(?:编制|编写|编排)[^。；]{0,8}(?:目录|页码)|连续(?:编)?页码|逐页编"
        ),
        "装订不符可能扣分或被认为不完整。",
        "胶装成册、编目录和连续页码，勿用活页。",
        Priority.MEDIUM,
        66,
    ),
    ClauseRule(
        "版面与页数",
        re.compile(
            r"(?:字体|字号|行距|页边距|幅面|总页数|页数)[^。；]{0,24}(?:宋体|仿宋|黑体|号|倍|磅|页|A[34])"
            r"|A[34](?:幅面|纸)|暗标|不得(?:出现|体现|含有)[^。；]{0,24}(?:身份|标识|单位名称)"
        ),
        "版面、页数与暗标的规定不合会扣分，暗标泄露身份通常直接否决。",
        "按规定的字体、行距和页数排版，暗标部分删去一切身份信息。",
        Priority.HIGH,
        63,
    ),
    ClauseRule(
        "文件组成",
        re.compile(
            r"文件(?:的)?(?:组成|构成)(?:：|为|包括)[^。；]{4,}|文件(?:共|应)?分为[^。；]{4,}"
            r"|由[^。；]{4,60}(?:部分|分册|[两三四五]册)(?:组成|构成)"
        ),
        "缺少一个部分或放错部分会影响符合性审查。",
        "按各部分建立目录清单，报价不放入其他部分。",
        Priority.HIGH,
        64,
    ),
    ClauseRule(
        "封面与标记",
        re.compile(
            r"(?:封面|封套|信封|密封袋|外包装|标签|右上角|包装)[^。；]{0,24}(?:注明|标明|标记|写明|标注|字样|贴)"
        ),
        "标记不清会造成误拆或拒收。",
        "按文件要求注明项目名称、编号、正本/副本和不得提前启封字样。",
        Priority.HIGH,
        66,
    ),
    ClauseRule(
        "版本不一致时的效力",
        re.compile(
            r"(?:正本|副本|电子|纸质|网上|书面)[^。；]{0,40}(?:不一致|不符|差异"
            r"|有出入)[^。；]{0,30}为准|(?:不一致|不符|差异)时?[^。；]{0,10}以(?:正本|电子|纸质|网上"
            r"|书面)[^。；]{0,20}为准"
        ),
        "各版本不一致时以其中一个为准，错误版本会直接影响评审。",
        "定稿后一次性导出全部版本并核对一致。",
        Priority.MEDIUM,
        64,
    ),
    ClauseRule(
        "授权委托书",
        re.compile(
            r"(?:按|提供|出具|附|提交|须有)[^。；]{0,30}(?:授权(?:委托)?书|法定代表人(?:身份)?证明(?:书)?)"
        ),
        "缺授权书或格式不符会导致投标无效。",
        "使用文件给定格式，附法定代表人与被授权人身份证件。",
        Priority.HIGH,
        40,
    ),
    ClauseRule(
        "偏离表与应答方式",
        re.compile(
            r"偏离表[^。；]{0,30}(?:应|须|必须|逐条)|(?:必须|应|须)[^。；]{0,24}(?:偏离表"
            r"|逐条(?:逐项)?(?:应答|响应|答复))"
        ),
        "未按要求逐条应答可能视为未实质性响应。",
        "建立点对点应答表，商务与技术偏离分别填写。",
        Priority.HIGH,
        60,
    ),
    ClauseRule(
        "文件组成与格式",
        re.compile(
            r"(?:投标|响应|应答|磋商|谈判)文件(?:应|须|必须|由)[^。；]{0,12}(?:包括|包含|组成|按照"
            r"|按)|(?:应|须|必须)[^。；]{0,12}(?:格式|目录|顺序)[^。；]{0,12}(?:编制|填写|提供)"
            r"|文件名(?:称)?|命名"
        ),
        "组成不全或格式不符会影响符合性审查。",
        "以文件给出的目录为清单逐项编制。",
        Priority.MEDIUM,
        32,
    ),
    ClauseRule(
        "递交时间要求",
        re.compile(
            r"(?:递交|提交|送达|签到)时间(?:为|：)[^。；]{0,40}(?:分钟|小时|前|止)|(?:逾期|迟到"
            r"|截止(?:时间|期)?(?:之?后|以后))[^。；]{0,24}(?:送达|递交|上传|收到|提交|投标)"
        ),
        "逾期递交一律不被接受。",
        "倒排时间表，至少提前半天完成递交或上传。",
        Priority.CRITICAL,
        38,
    ),
)
# What is shown or handed over beside the papers: here the word 样品 is the matter itself.
_SHOWN = ClauseRule(
    "样品与演示",
    re.compile(
        r"样品[^。；]{0,30}(?:送至|送达|送到|递交|提交|封样)|(?:件|套|个|把|份)[^。；]{0,24}前(?:送至|送达|送到)"
        r"|演示[^。；]{0,30}(?:分钟|方式|顺序|地点)"
    ),
    "样品或演示缺席会失分，规定为必须的会被按未响应处理。",
    "提前备样、签收和试讲，按规定的时间与地点到场或在线。",
    Priority.HIGH,
    74,
    _WHERE,
    re.compile(r"得\d|满分|验收"),
)
RULES = (
    *(replace(rule, zones=_WHERE, avoid=_PROOF if rule.title == _SEALS else _NOT_HERE) for rule in _RULES),
    _SHOWN,
)
_ABOUT_BIDS = re.compile(r"投标|响应|应答|谈判|磋商|报价|标书|样品|演示|递交|密封|正本|副本|封面")
_PLACE = re.compile(r"(?:[（(]?[\d一二三四五六七八九十]{1,2}[）)、.]?)?(?:地点|地址)：")
_HANDS_IN = re.compile(r"递交|提交|截止|开标|投标(?:时间|地点)|响应文件")
_PLACE_RULES = (
    ClauseRule(
        "递交地点",
        re.compile(_PLACE.pattern),
        "送错地点或平台等同未递交。",
        "提前确认楼层房间或平台入口，安排专人与备用方案。",
        Priority.CRITICAL,
        82,
    ),
)


def find_submission_format(passages: list[Passage]) -> Iterator[Candidate]:
    for passage in passages:
        if passage.is_heading:
            continue
        if _PLACE.match(passage.compact) and _HANDS_IN.search(passage.section):
            yield from scan(passage, Tab.SUBMISSION_FORMAT, _PLACE_RULES)
            continue
        for candidate in scan(passage, Tab.SUBMISSION_FORMAT, RULES):
            # The work to be done may be binding papers or writing Word files, too.
            if passage.zone is not Zone.REQUIREMENTS or _ABOUT_BIDS.search(candidate.compact):
                yield candidate
