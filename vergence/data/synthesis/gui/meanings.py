"""What icons of a user interface stand for, in English and Chinese, and which drawings of each set stand for it."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """A function: its name, what it does as an end of "it lets you ...", both in Chinese, and the names of its drawings
    in lucide, tabler-icons and mdi."""

    name: str
    does: str
    name_zh: str
    does_zh: str
    lucide: str
    tabler: str
    mdi: str


_TABLE = """
search|search for something|搜索|搜索内容|search|search|magnify
settings|open the settings|设置|打开设置|settings|settings|cog
home|go to the home page|主页|回到主页|house|home|home
delete|delete something|删除|删除内容|trash-2|trash|trash-can
edit|edit something|编辑|编辑内容|pencil|pencil|pencil
add|add something new|添加|添加新内容|plus|plus|plus
close|close the window|关闭|关闭当前窗口|x|x|close
confirm|confirm|确认|确认操作|check|check|check
menu|open the menu|菜单|打开菜单|menu|menu-2|menu
download|download a file|下载|下载文件|download|download|download
upload|upload a file|上传|上传文件|upload|upload|upload
share|share this|分享|分享内容|share-2|share|share-variant
notifications|see the notifications|通知|查看通知|bell|bell|bell
mail|write or read mail|邮件|收发邮件|mail|mail|email
calendar|open the calendar|日历|打开日历|calendar|calendar|calendar
camera|take a photo|相机|拍摄照片|camera|camera|camera
lock|lock this|锁定|锁定内容|lock|lock|lock
unlock|unlock this|解锁|解除锁定|lock-open|lock-open|lock-open
favourite|mark this as a favourite|收藏|加入收藏|star|star|star
like|like this|点赞|表示喜欢|heart|heart|heart
cart|see the shopping cart|购物车|查看购物车|shopping-cart|shopping-cart|cart
user|see your account|账户|查看账户|user|user|account
help|get help|帮助|获取帮助|circle-question-mark|help-circle|help-circle
print|print this|打印|打印内容|printer|printer|printer
save|save your work|保存|保存内容|save|device-floppy|content-save
copy|copy this|复制|复制内容|copy|copy|content-copy
paste|paste what was copied|粘贴|粘贴内容|clipboard|clipboard|clipboard
cut|cut out the selection|剪切|剪切所选内容|scissors|scissors|content-cut
undo|undo the last step|撤销|撤销上一步|undo-2|arrow-back-up|undo
redo|redo the step that was undone|重做|重做上一步|redo-2|arrow-forward-up|redo
refresh|load this again|刷新|重新加载|refresh-cw|refresh|refresh
filter|filter the list|筛选|筛选列表|funnel|filter|filter
play|start playing|播放|开始播放|play|player-play|play
pause|pause|暂停|暂停播放|pause|player-pause|pause
next track|skip to the next track|下一首|跳到下一首|skip-forward|player-skip-forward|skip-next
volume|change the volume|音量|调节音量|volume-2|volume|volume-high
mute|turn the sound off|静音|关闭声音|volume-x|volume-off|volume-off
microphone|record your voice|麦克风|录制声音|mic|microphone|microphone
video|start a video call|视频|开始视频通话|video|video|video
phone|make a call|电话|拨打电话|phone|phone|phone
location|show the place on a map|位置|在地图上查看位置|map-pin|map-pin|map-marker
wifi|set up the wireless network|无线网络|设置无线网络|wifi|wifi|wifi
bluetooth|set up Bluetooth|蓝牙|设置蓝牙|bluetooth|bluetooth|bluetooth
battery|see how full the battery is|电池|查看电量|battery|battery|battery
brightness|change the brightness|亮度|调节亮度|sun|sun|white-balance-sunny
dark mode|switch to dark colours|深色模式|切换到深色模式|moon|moon|weather-night
folder|open a folder|文件夹|打开文件夹|folder|folder|folder
attach|attach a file|附件|添加附件|paperclip|paperclip|paperclip
link|insert a link|链接|插入链接|link|link|link-variant
image|insert a picture|图片|插入图片|image|photo|image
send|send the message|发送|发送消息|send|send|send
comment|write a comment|评论|发表评论|message-circle|message-circle|comment
zoom in|zoom in|放大|放大画面|zoom-in|zoom-in|magnify-plus
zoom out|zoom out|缩小|缩小画面|zoom-out|zoom-out|magnify-minus
full screen|switch to full screen|全屏|全屏显示|maximize|maximize|fullscreen
log out|log out|退出登录|退出登录|log-out|logout|logout
back|go back|返回|返回上一页|arrow-left|arrow-left|arrow-left
forward|go forward|前进|前进到下一页|arrow-right|arrow-right|arrow-right
history|see the history|历史记录|查看历史记录|history|history|history
hide|hide something|隐藏|隐藏内容|eye-off|eye-off|eye-off
show|show what is hidden|显示|显示隐藏的内容|eye|eye|eye
tag|add a label|标签|添加标签|tag|tag|tag
gift|see the offers|礼物|查看优惠|gift|gift|gift
statistics|see the statistics|统计|查看统计数据|chart-column|chart-bar|chart-bar
language|change the language|语言|切换语言|languages|language|translate
bold|make the text bold|加粗|加粗文字|bold|bold|format-bold
italic|make the text italic|斜体|使文字变为斜体|italic|italic|format-italic
underline|underline the text|下划线|给文字加下划线|underline|underline|format-underline
list|make a list|列表|插入列表|list|list|format-list-bulleted
table|insert a table|表格|插入表格|table|table|table
cloud|store this in the cloud|云端|存储到云端|cloud|cloud|cloud
database|open the database|数据库|打开数据库|database|database|database
key|change the password|密钥|修改密码|key|key|key
book|read the manual|书籍|阅读手册|book-open|book|book-open-variant
"""

MEANINGS: tuple[Meaning, ...] = tuple(Meaning(*line.split("|")) for line in _TABLE.strip().splitlines())
"""Each with one drawing in every set."""

BY_NAME = {meaning.name: meaning for meaning in MEANINGS}
